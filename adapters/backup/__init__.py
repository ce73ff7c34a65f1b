"""Backups: a snapshot of the database and the stored objects that it names, in one file with checksums.

A backup is a tar file, which `tar` can list and `sha256sum --check` can verify:

    backup.json                  the header: versions, tables, the head of the history
    tables/SCHEMA.TABLE/NUMBER   rows as PostgreSQL's COPY text, in pieces, each compressed with gzip
    objects/KEY                  stored objects, sealed as they are in storage
    SHA256SUMS                   the hashes of all parts above, in the same order

Rows are copied with COPY and not with pg_dump: COPY needs no program of the server's version, works through a pooler,
and its text format is the same for all versions and machines. The schema comes from the migrations and read models
from the history, so a backup holds no derived data.
"""

from adapters.backup.parts import BackupError
from adapters.backup.restoring import RestoreReport, restore
from adapters.backup.taking import BackupReport, take_backup

__all__ = ["BackupError", "BackupReport", "RestoreReport", "restore", "take_backup"]
