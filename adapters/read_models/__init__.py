"""Fills the read models from the event log: live, and by rebuilding them beside the live ones."""
