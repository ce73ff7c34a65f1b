"""The server's settings: the options of its cluster, its parameters, and who may connect."""

from pathlib import Path

NAME = "storyledger"  # of the role and of the database
PORT = 5432  # only a part of the socket's file name


def initdb_options(version: int) -> list[str]:
    """Return the options of a new cluster: the same sort order on every machine, and checksums of all data pages."""
    options = [f"--username={NAME}", "--encoding=UTF8", "--data-checksums", "--auth=reject", "--no-instructions"]
    if version >= 17:
        return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*options, "--locale=C.UTF-8"]


def server_settings(socket_dir: Path) -> dict[str, str]:
    """Return the parameters for the server's command line, which take precedence over the files in its folder."""
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
        "random_page_cost": "1.1",  # on flash memory, as on most machines, reading by an index costs little more
        # Personal data must not reach the log, so failed statements and their values are not logged.
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_statement": "none",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }


def access_files(accounts: list[str]) -> dict[str, str]:
    """Return the files that say who may connect. The kernel reports the client's account, so there is no password."""
    return {
        "pg_hba.conf": f"local all {NAME} peer map=owners\n",
        "pg_ident.conf": "".join(f'owners "{account}" {NAME}\n' for account in accounts),
    }
