"""Commands that prove the history unaltered, to the operator and to strangers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.proof import checker
from adapters.proof.checker import Checkpoint, Key, Refused
from entrypoints.cli.console import Bar, Found, Usage, print_json, say

if TYPE_CHECKING:
    from adapters.proof.checkpoints import Signer


def verify(since: Path | None, checkpoint: Path | None, json: bool) -> None:
    """The history decides what is signed; the access log has nothing to do with it, and is verified besides."""
    from adapters.identity import access_log
    from adapters.postgres.database import connect
    from adapters.proof import audit
    from entrypoints.cli.setup import database
    from entrypoints.composition import secrets

    with database() as (settings, url), Bar(shown=not json) as bar:
        signer = secrets.signer(settings)
        older = _older(since, signer)
        verdict = audit.verify(url, lambda position: bar("links", position, position), signer.read, older)
        with connect(url, statement_seconds=0, name="storyledger audit") as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            acts = access_log.verify_access_log(connection)
    bad, bad_act = verdict.first_bad, acts.first_bad
    note = signer.checkpoint(verdict.events, verdict.root) if verdict.root is not None else None
    if checkpoint is not None and note is not None:
        _write(checkpoint, note)
    if json:
        print_json(
            {
                "ok": verdict.ok and acts.ok,
                "events": verdict.events,
                "firstBad": _bad(bad),
                "checkpoint": note,
                "accessLog": {"entries": acts.entries, "firstBad": _bad(bad_act)},
            }
        )
    faults = [f"{what} {at[0]} {at[1]}" for what, at in (("event", bad), ("access log entry", bad_act)) if at]
    if faults:
        raise Found("; ".join(faults))
    if not json:
        say(f"All {verdict.events} links hold, and the tree over them is the one that was signed.")
        say(f"All {acts.entries} entries of the access log are as they were written.")
        if older is not None:
            say(f"They continue the {older.size} events of {since}.")


def _bad(found: tuple[int, str] | None) -> dict[str, Any] | None:
    return found and {"position": found[0], "reason": found[1]}


def _older(file: Path | None, signer: Signer) -> Checkpoint | None:
    """The checkpoint in a file, as the note that was signed or as a printed code was read."""
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return signer.read(checker.normalized_note(opened.read(checker.LONGEST_NOTE)))
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"--since: {file} cannot be read: {_why(error)}") from None
    except Refused as refused:
        raise Found(f"--since: {file}: {refused}") from None


def _why(error: Exception) -> str:
    return error.strerror or "it is no file of ours" if isinstance(error, OSError) else "it is no text"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Found(f"{file} cannot be written: {_why(error)}") from None


def export(ticket: str, file: Path, json: bool) -> None:
    """The file is checked as a stranger would before it gets its name."""
    from entrypoints.cli.setup import as_uuid, service

    id = as_uuid(ticket, "TICKET")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with service() as built:
            parts = built.exporter.export(id)
            with draft.open("wb") as opened:
                opened.writelines(parts)
            found = _checked(draft, built.signer.keys)
        draft.replace(file)
    except OSError as error:
        raise Found(f"{file} cannot be written: {_why(error)}") from None
    except Refused as refused:
        raise Found(f"the history is not as it was signed (run `storyledger audit verify`): {refused}") from None
    finally:
        draft.unlink(missing_ok=True)
    if json:
        print_json(_told(found))
    else:
        say(f"{found.events} events of {id} in {file}, which anybody checks with {checker.__file__}")


def check(file: Path, trusted: list[str], json: bool) -> None:
    try:
        keys = [Key.parse(text) for text in trusted]
    except Refused as refused:
        raise Usage(f"--key: {refused}") from None
    try:
        found = _checked(file, keys)
    except OSError as error:
        raise Usage(f"{file} cannot be read: {_why(error)}") from None
    except (Refused, UnicodeDecodeError) as refused:
        reason = str(refused) if isinstance(refused, Refused) else "it is no text"
        if json:
            print_json({"ok": False, "reason": reason})
        raise Found(f"{file} proves nothing: {reason}") from None
    if json:
        print_json({"ok": True} | _told(found))
    else:
        say(checker.described(found).rstrip())


def _checked(file: Path, keys: list[Key]) -> checker.Finding:
    with file.open(encoding="utf-8", newline="\n") as lines:
        return checker.check(lines, keys)


def _told(found: checker.Finding) -> dict[str, Any]:
    return {
        "ticketId": found.ticket,
        "events": found.events,
        "streams": len(found.streams),
        "checkpoint": found.checkpoint.text,
        "key": str(found.key),
        "keyTrusted": found.pinned,
    }


def key(json: bool) -> None:
    from entrypoints.cli.setup import clear_errors
    from entrypoints.composition import secrets
    from entrypoints.composition import settings as environment

    with clear_errors():
        keys = [str(one) for one in secrets.signer(environment.load()).keys]
    if json:
        print_json({"keys": keys})
    else:
        say("\n".join(keys))
