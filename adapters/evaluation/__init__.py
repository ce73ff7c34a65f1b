"""Evaluation: how good drafting is on labelled stories, and recognition on recordings with their text."""
