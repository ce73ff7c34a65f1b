"""The page on which a person who does not read goes through the whole draft by ear: each part is right or wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from domain.commands.tickets import TicketCommands
from domain.corrections import CorrectedSegment
from domain.errors import InvalidError, StaleVersionError
from domain.lifecycle import draft_parts, missing_fields
from domain.sentences import sentences, without_sentence
from domain.values import Draft, Kind
from entrypoints.http.amounts import format_amount
from entrypoints.http.bodies import DraftChange, form_fields, validated
from entrypoints.http.handlers.public_pages import StoryLanguages
from entrypoints.http.handlers.story_pages import number_in
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, caller_language, see_other
from entrypoints.http.problems import Problem
from entrypoints.presentation import tickets
from entrypoints.presentation.passages import SpokenPart, passage_of_segment, said_alike, spoken_part
from entrypoints.presentation.recordings import recordings_of
from projections.model import Row

# In the order in which donors meet them.
FIELDS = ("title", "story", "beneficiary", "location", "goal", "breakdown")
# What may be left out; every other field is asked for again.
OPTIONAL = frozenset({"story", "location", "breakdown"})
# Something that was said in a recording and is not in the story that the person wrote.
SAID = "said"


@dataclass(frozen=True)
class ListenPageHandlers:
    """The place of the review is in the address, so that the page works without scripts and can be left at any time."""

    commands: TicketCommands
    transcripts: TranscriptHandlers
    languages: StoryLanguages
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        """Show the beginning, one part, what can be done about a part that is wrong, or what was decided."""
        row, personal = call.ticket, call.personal_data()
        language, parts = self._language(call), self._parts(call, row)
        at = number_in(call.query.get("at", ""))
        part = parts[at - 1] if 0 < at <= len(parts) else None
        out, put = (min(number_in(call.query.get(name, "")), at) for name in ("out", "put"))
        of_draft = [each for each in parts if each.field != SAID]
        return self.site.page(
            call,
            "listen.html",
            version=row["version"],
            part=part,
            at=at,
            count=len(parts),
            out=out,
            put=put,
            right=max(0, len(of_draft) - put),
            wrong="wrong" in call.query,
            changed="changed" in call.query,
            optional=OPTIONAL,
            missing=missing_fields(Kind(row["kind"]), personal.draft(row)),
            published=row["published"],
            story_tag=self.languages.of(row, tickets.Draft.from_row(row, personal)) or language,
        )

    def decide(self, call: Call) -> Answer[None]:
        """Leave a part out of the draft or put a sentence in, as the page of the story does; then the next part."""
        form = {name: text.strip() for name, text in form_fields(call.raw_body).items()}
        steps = {name: number_in(form.get(name, "")) for name in ("at", "out", "put")}
        draft, parts = call.personal_data().draft(call.ticket), self._parts(call, call.ticket)
        at = steps["at"]
        part = parts[at - 1] if 0 < at <= len(parts) else None
        if part is None or part.text.strip() != form.get("text") or not (change := _change(part, draft)):
            return self._next(call, steps, changed=1)
        try:
            body = validated(DraftChange, change)
            self.commands.edit_draft(call.principal.actor, call.ticket_id, body.changes(), call.ticket["version"])
        except (StaleVersionError, Problem, InvalidError):
            return self._next(call, steps, changed=1)
        if part.field != SAID:
            # The next part has moved to this place.
            return self._next(call, steps | {"out": steps["out"] + 1})
        rest = [each.text for each in parts[at:]]
        now = [each.text for each in self._parts(call, call.current_row())]
        return self._next(call, {**steps, "put": steps["put"] + 1, "at": len(now) - len(rest) + 1})

    def _next(self, call: Call, steps: Mapping[str, int], **more: int) -> Answer[None]:
        return see_other(f"/t/{call.ticket_id}/listen?{urlencode({**steps, **more})}")

    def _parts(self, call: Call, row: Row) -> list[SpokenPart]:
        draft = call.personal_data().draft(row)
        segments = self.transcripts.segments(call, row) if row["transcriptions"] else []
        recording_ids = {recording.id for recording in recordings_of(row)}
        goal = format_amount(draft.goal, self._language(call)) if draft.goal else None
        passages = [
            spoken_part(call.ticket_id, part, segments, recording_ids, goal if part.field == "goal" else None)
            for part in draft_parts(draft)
            if part.field in FIELDS
        ]
        passages.sort(key=lambda part: FIELDS.index(part.field))
        # What is said later does not change a draft that the person wrote.
        spoken = _said_besides(draft, segments) if "story" in row["written"] else []
        return passages + [
            SpokenPart(SAID, number, each.segment.text.strip(), passage, typed=False)
            for number, each in enumerate(spoken, 1)
            if (passage := passage_of_segment(call.ticket_id, each, recording_ids))
        ]

    def _language(self, call: Call) -> str:
        return caller_language(call)


def _change(part: SpokenPart, draft: Draft) -> dict[str, Any]:
    """Return the change of the draft, as a client of the API would send it; nothing if the part has to stay."""
    match part.field:
        case "story":
            return {"story": without_sentence(draft.story or "", part.number or 0) or None}
        case "breakdown":
            return {
                "breakdown": [line for number, line in enumerate(draft.breakdown, 1) if number != part.number] or None
            }
        case "location":
            return {"location": None}
        case "said":
            return {"story": f"{draft.story or ''}\n{part.text}".strip()}
        case _:
            return {}


def _said_besides(draft: Draft, segments: Sequence[CorrectedSegment]) -> list[CorrectedSegment]:
    """Return what was said in recordings of which nothing is in the story."""
    used = {source.recording_id for source in draft.sources if source.field == "story"}
    taken = sentences(draft.story or "")
    return [
        each
        for each in segments
        if each.place.recording_id not in used
        and each.segment.text.strip()
        and not each.segment.uncertain
        and not any(said_alike(sentence, [each]) for sentence in taken)
        and each.segment.text.strip() not in (draft.story or "")
    ]
