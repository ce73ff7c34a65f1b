"""Backups: the database as one moment saw it and the stored objects it names, in one file that is checked whole.

A backup is a tar file that anybody can look into and check with `tar` and `sha256sum --check`:

    backup.json                  what it is of: versions, tables, the head of the history
    tables/SCHEMA.TABLE/NUMBER   PostgreSQL's own COPY text, in pieces, each compressed with gzip
    objects/KEY                  stored objects, sealed as they are in storage
    SHA256SUMS                   last: the hash of every part before it, in the same order

COPY and not pg_dump: it needs no program beside the driver, no version of one that fits the server's, works through a
pooler, and its text format is the same on every version and machine. The schema comes from our own migrations, read
models from the history; so a backup holds nothing that could be derived.
"""

from adapters.backup.parts import BackupError
from adapters.backup.restoring import Restored, restore
from adapters.backup.taking import Taken, take

__all__ = ["BackupError", "Restored", "Taken", "restore", "take"]
