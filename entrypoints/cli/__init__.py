"""The command line: every command prints for people, or one JSON document with `--json`."""

from entrypoints.cli.app import main

__all__ = ["main"]
