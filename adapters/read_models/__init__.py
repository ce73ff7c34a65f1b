"""Fills the read models from the history: live, and from the beginning beside the live ones."""
