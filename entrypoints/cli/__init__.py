"""The command line: every command prints for people, or one JSON document with `--json`."""

from entrypoints.cli.program import main

__all__ = ["main"]
