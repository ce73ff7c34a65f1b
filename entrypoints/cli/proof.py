"""The `audit` commands, which prove to operators and auditors that the history is unaltered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.proof import checker
from adapters.proof.checker import AccessLogHead, Checkpoint, Key, Refused
from entrypoints.cli.console import CommandFailed, ProgressBar, UsageError, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.proof.checkpoints import Signer
    from adapters.proof.published import PublishedCheckpoints


def verify(since: Path | None, checkpoint: Path | None, json: bool) -> None:
    """Verify the history and the access log, hold both to the checkpoints, and tell what no checkpoint protects."""
    from adapters.identity import access_log
    from adapters.postgres.database import connect
    from adapters.proof import audit, checkpoints
    from adapters.proof.published import PublishedCheckpoints, newer_than
    from adapters.storage.factory import open_storage
    from entrypoints.cli.context import database
    from entrypoints.composition import secrets

    with database() as (settings, url), ProgressBar(shown=not json) as bar:
        signer = secrets.existing_signer(settings)
        older = _read_checkpoint(since, signer)
        place = PublishedCheckpoints(open_storage(settings.storage), signer.read)
        # Read before the history, which goes on; the newest last, because each dated one was the newest before.
        dated = place.dated()
        published = _newest_published(place)
        kept = [*dated.values(), *(known for known in (older, published) if known is not None)]
        # Published before the history is read, so that the note covers only what is verified below.
        note, refusal = _publish_checkpoint(url, signer, place) if checkpoint is not None else (None, None)
        compared = [*kept, *([signer.read(note)] if note is not None else [])]
        verdict = audit.verify(url, lambda position: bar("links", position, position), signer.read, compared)
        with connect(url, statement_seconds=0, name="storyledger audit") as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            stored = checkpoints.latest_valid(connection.cursor(), signer)
            log_verdict = access_log.verify_access_log(
                connection, _access_logs([*compared, *([stored] if stored else [])])
            )
    set_back = newer_than(published, dated)
    is_valid = verdict.ok and log_verdict.ok and set_back is None and refusal is None
    if not is_valid:
        note = None
    elif checkpoint is not None and note is not None:
        _write(checkpoint, note)
    elif verdict.root is not None:
        note = signer.checkpoint(verdict.events, verdict.root, AccessLogHead(log_verdict.entries, log_verdict.head))
    unprotected = (
        max(0, verdict.events - max((known.size for known in kept), default=0)),
        max(0, log_verdict.entries - max((head.entries for head in _access_logs(kept)), default=0)),
    )
    if json:
        print_json(
            {
                "ok": is_valid,
                "events": verdict.events,
                "firstBad": _bad_position(verdict.first_bad),
                "checkpoint": note,
                "accessLog": {"entries": log_verdict.entries, "firstBad": _bad_position(log_verdict.first_bad)},
                "unprotected": {"events": unprotected[0], "accessLogEntries": unprotected[1]},
            }
        )
    first_bad = (("event", verdict.first_bad), ("access log entry", log_verdict.first_bad))
    faults = [f"{kind} {bad[0]} {bad[1]}" for kind, bad in first_bad if bad is not None]
    if set_back is not None:
        faults.append(f"the newest checkpoint in the storage was set back: {set_back} is newer")
    if refusal is not None and not faults:
        faults.append(f"no checkpoint was written: {refusal}")
    if faults:
        raise CommandFailed("; ".join(faults))
    if not json:
        print_line(f"All {verdict.events} links hold, and the Merkle tree over them matches the signed checkpoints.")
        print_line(f"All {log_verdict.entries} entries of the access log are unaltered.")
        if older is not None:
            entries = "no entries" if older.access_log is None else f"{older.access_log.entries} entries"
            print_line(f"They continue the {older.size} events and {entries} of the checkpoint in {since}.")
        print_line(_protection(unprotected, published))


def _newest_published(published: PublishedCheckpoints) -> Checkpoint | None:
    try:
        return published.newest()
    except Refused as refused:
        raise CommandFailed(f"the newest checkpoint in the storage is not valid: {refused}") from None


def _publish_checkpoint(url: str, signer: Signer, place: PublishedCheckpoints) -> tuple[str | None, str | None]:
    """Return a checkpoint of the present history, which was published, or the reason why none is signed."""
    from adapters.postgres.database import connect
    from adapters.proof import checkpoints
    from adapters.proof.tiles import BrokenProofError

    try:
        with connect(url, statement_seconds=0, name="storyledger audit") as connection:
            return checkpoints.sign_complete_tree(connection, signer, place)[1], None
    except BrokenProofError as error:
        return None, str(error)


def _access_logs(checkpoints: Iterable[Checkpoint]) -> list[AccessLogHead]:
    return [checkpoint.access_log for checkpoint in checkpoints if checkpoint.access_log is not None]


def _protection(unprotected: tuple[int, int], published: Checkpoint | None) -> str:
    events, entries = unprotected
    if published is None:
        begin = "No checkpoint was published in the storage yet"
    else:
        begin = f"The newest checkpoint in the storage covers {published.size} events"
    if not events and not entries:
        return f"{begin}; nothing is unprotected."
    return (
        f"{begin}; {events} events and {entries} entries of the access log are unprotected: nothing outside the"
        " database would reveal that they were altered."
    )


def _bad_position(first_bad: tuple[int, str] | None) -> dict[str, object] | None:
    return first_bad and {"position": first_bad[0], "reason": first_bad[1]}


def _read_checkpoint(file: Path | None, signer: Signer) -> Checkpoint | None:
    """Return the checkpoint in a file, which holds a signed note or the text of a printed QR code."""
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8", newline="") as note:
            return signer.read(checker.normalized_note(note.read(checker.LONGEST_NOTE)))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--since: {file} cannot be read: {_reason(error)}") from None
    except Refused as refused:
        raise CommandFailed(f"--since: {file}: {refused}") from None


def _reason(error: Exception) -> str:
    return error.strerror or "it is no regular file" if isinstance(error, OSError) else "it is not a text file"


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {_reason(error)}") from None


def export(ticket: str, file: Path, json: bool) -> None:
    """Write the file under a temporary name, check it as an auditor would, and only then rename it."""
    from entrypoints.cli.context import as_uuid, open_service

    id = as_uuid(ticket, "TICKET")
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open_service() as service:
            parts = service.proof.exporter.export(id)
            with draft.open("wb") as output:
                output.writelines(parts)
            finding = _checked(draft, service.proof.signer.keys)
        draft.replace(file)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {_reason(error)}") from None
    except Refused as refused:
        raise CommandFailed(
            f"the history does not match its signed checkpoint (run `storyledger audit verify`): {refused}"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    if json:
        print_json(_document(finding))
    else:
        print_line(
            f"Wrote {finding.events} events of {id} to {file}. {checker.__file__} checks it without the service."
        )


def check(file: Path, trusted: list[str], json: bool) -> None:
    try:
        keys = [Key.parse(text) for text in trusted]
    except Refused as refused:
        raise UsageError(f"--key: {refused}") from None
    try:
        finding = _checked(file, keys)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {_reason(error)}") from None
    except (Refused, UnicodeDecodeError) as refused:
        reason = str(refused) if isinstance(refused, Refused) else "it is not a text file"
        if json:
            print_json({"ok": False, "reason": reason})
        raise CommandFailed(f"{file} proves nothing: {reason}") from None
    if json:
        print_json({"ok": True} | _document(finding))
    else:
        print_line(checker.described(finding).rstrip())


def _checked(file: Path, keys: list[Key]) -> checker.Finding:
    with file.open(encoding="utf-8", newline="\n") as lines:
        return checker.check(lines, keys)


def _document(finding: checker.Finding) -> dict[str, object]:
    return {
        "ticketId": finding.ticket,
        "events": finding.events,
        "streams": len(finding.streams),
        "checkpoint": finding.checkpoint.text,
        "key": str(finding.key),
        "keyTrusted": finding.pinned,
    }


def key(json: bool) -> None:
    from entrypoints.cli.context import one_line_errors
    from entrypoints.composition import secrets
    from entrypoints.composition import settings as environment

    with one_line_errors():
        keys = [str(key) for key in secrets.existing_signer(environment.load()).keys]
    if json:
        print_json({"keys": keys})
    else:
        print_line("\n".join(keys))
