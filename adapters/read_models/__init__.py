"""Fills the read models from the event log: follows the log, and rebuilds read models beside the live ones."""
