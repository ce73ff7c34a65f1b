"""Backups: a snapshot of the database and the stored objects that it names, in one file with checksums.

A backup is a tar file, which `tar` can list and `sha256sum --check` can verify:

    backup.json                  the header: versions, tables, the head of the history
    tables/SCHEMA.TABLE/NUMBER   rows in the binary format of PostgreSQL's COPY, in pieces, each compressed with gzip
    objects/KEY                  stored objects, sealed as they are in storage
    SHA256SUMS                   the hashes of all parts above, in the same order
    HMAC                         a code over SHA256SUMS, made with a key derived from the master key

The hashes reveal accidental damage. They do not stop an attacker, who can change a part together with its hash, for
example to add an administrator's key. The code can be made only with the master key, so a restore refuses a backup
whose code is wrong.

Rows are copied with COPY and not with pg_dump: COPY needs no program of the server's version and works through a
pooler. Its binary format is the same for all supported versions and machines, and has half the size of the text in
which earlier backups have their rows. The values in it are the bytes that the history's links cover, so the history is
verified while it is copied. The schema comes from the migrations and read models from the history, so a backup holds no
derived data.
"""
