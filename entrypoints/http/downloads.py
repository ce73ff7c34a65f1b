"""Answers that browsers save as files."""

from urllib.parse import quote

from adapters.read_models.reads import Reads
from projections.workspaces import workspace_settings

LONGEST_ORGANISATION_NAME = 60


def attachment(file_name: str, organisation: str | None = None) -> dict[str, str]:
    """Return the headers of a file. Its name begins with that of the organisation, where browsers read UTF-8."""
    disposition = f'attachment; filename="{file_name}"'
    if name := _part_of_file_name(organisation or ""):
        disposition += f"; filename*=UTF-8''{quote(f'{name} {file_name}', safe='')}"
    return {"Content-Disposition": disposition}


def organisation_of(reads: Reads, workspace: str | None) -> str | None:
    """Return the legal name of who runs the workspace, or None if it has none or no workspace is named."""
    if workspace is None:
        return None
    return reads.ask(lambda cursor: workspace_settings(cursor, workspace)).organisation.legal_name


def _part_of_file_name(text: str) -> str:
    """Return the text without characters that have a meaning in the paths of some system."""
    plain = "".join(c if c.isprintable() and c not in '\\/:*?"<>|' else " " for c in text)
    return " ".join(plain.split())[:LONGEST_ORGANISATION_NAME].strip(" .")
