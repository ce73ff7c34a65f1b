"""Confined child processes, which read the bytes of strangers: recordings and photos."""
