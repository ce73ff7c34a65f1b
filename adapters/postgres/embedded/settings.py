"""How the server is set up: its cluster, its settings, and who may connect."""

from __future__ import annotations

from pathlib import Path

NAME = "storyledger"  # of the role and of the database
PORT = 5432  # only a part of the socket's file name


def initdb_options(version: int) -> list[str]:
    """How a new cluster is made: texts in the same order on every machine, and a checksum on every page."""
    options = [f"--username={NAME}", "--encoding=UTF8", "--data-checksums", "--auth=reject", "--no-instructions"]
    if version >= 17:
        return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*options, "--locale=C.UTF-8"]


def server_settings(socket_dir: Path) -> dict[str, str]:
    """What the server is told on its command line, where no file in its folder can say otherwise."""
    return {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "jit": "off",  # our statements are short
        # What people told us has no place in a log: neither the statement that failed nor the row it was about.
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_statement": "none",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def access_files(accounts: list[str]) -> dict[str, str]:
    """Who may connect: the kernel says who is at the other end of the socket, so there is no password to keep."""
    return {
        "pg_hba.conf": f"local all {NAME} peer map=owners\n",
        "pg_ident.conf": "".join(f'owners "{account}" {NAME}\n' for account in accounts),
    }
