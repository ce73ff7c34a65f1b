"""Erasure of a person and the retention policy."""
