"""Handlers for earlier versions of a draft and of a transcript: list them, and restore one."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.commands.tickets import TicketCommands
from entrypoints.http.bodies import Restoration
from entrypoints.http.handlers.preconditions import etag_header, if_match
from entrypoints.http.operations import Answer, Call
from entrypoints.http.paging import Item, ResultPage, requested_page
from entrypoints.presentation.safety import DraftSafety
from entrypoints.presentation.tickets import Draft
from entrypoints.presentation.versions import (
    DraftVersions,
    TranscriptVersion,
    TranscriptVersions,
    past_drafts,
    past_transcripts,
)


@dataclass(frozen=True)
class VersionHandlers:
    commands: TicketCommands
    safety: DraftSafety

    def list_drafts(self, call: Call) -> Answer[DraftVersions]:
        page, personal = requested_page(call), call.personal_data()
        past_versions = [
            (past.recorded.event.originator_version, past)
            for past in past_drafts(call.reads.ticket_history(call.ticket_id))
        ]
        versions = [past.shown(personal) for past in _newest_first(page, past_versions)]
        return page.answer(DraftVersions(versions, page.next_cursor))

    def list_transcripts(self, call: Call) -> Answer[TranscriptVersions]:
        page, personal = requested_page(call), call.personal_data()
        past_versions = [
            (version.version, version)
            for version in past_transcripts(call.reads.ticket_history(call.ticket_id), personal)
        ]
        versions: list[TranscriptVersion] = _newest_first(page, past_versions)
        return page.answer(TranscriptVersions(versions, page.next_cursor))

    def restore_draft(self, call: Call, body: Restoration) -> Answer[Draft]:
        self.commands.restore_draft(call.principal.actor, call.ticket_id, body.version, if_match(call))
        row, personal = call.current_row(), call.personal_data()
        return Answer(Draft.from_row(row, personal, self.safety.of(row, personal)), 200, etag_header(row))


def _newest_first(page: ResultPage, found: Sequence[tuple[int, Item]]) -> list[Item]:
    """Return the items on the page from versions in rising order."""
    after = page.after_position()
    rest = [entry for entry in reversed(found) if after is None or entry[0] < after]
    return [item for _, item in page.cut(rest, lambda entry: [entry[0]])]
