"""Finds what may endanger a person or others if it is published."""
