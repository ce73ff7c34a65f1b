"""Handlers for the page on which a person chooses what strangers hear, listens to it, and agrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from adapters import consent_texts
from adapters.quotas import QuotaExceeded
from domain.commands.tickets import TicketCommands
from domain.corrections import CorrectedSegment
from domain.errors import (
    FaultCode,
    InvalidError,
    NotAudioError,
    NotFoundError,
    RefusedError,
    StaleVersionError,
    UnavailableError,
)
from domain.safety import Finding, UndecidedFindings
from domain.values import ConsentScope
from domain.voice import LONGEST_MS
from entrypoints.http.bodies import form_fields, validated
from entrypoints.http.handlers.consents import GivenConsent, given_on_page
from entrypoints.http.handlers.transcripts import TranscriptHandlers
from entrypoints.http.handlers.voices import ChosenVoice, VoiceHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language, see_other, story_language
from entrypoints.http.problems import Problem
from entrypoints.presentation.voices import clock, length_of
from projections.model import Row


class ShownSegment(NamedTuple):
    id: str
    text: str
    start: str
    start_ms: int
    end_ms: int


class HeardRecording(NamedTuple):
    """A recording with what is said in it; `number` counts all recordings of the ticket from 1."""

    number: int
    id: UUID
    segments: list[ShownSegment]


@dataclass(frozen=True)
class VoicePageHandlers:
    voices: VoiceHandlers
    transcripts: TranscriptHandlers
    commands: TicketCommands
    site: Site

    def show(
        self,
        call: Call,
        form: Mapping[str, str] = MappingProxyType({}),
        fault: str | None = None,
        findings: Sequence[Finding] = (),
    ) -> Answer[bytes]:
        row = call.ticket
        text = consent_texts.consent_text(consent_texts.CURRENT, page_language(call, story_language(row)))
        return self.site.page(
            call,
            "voice.html",
            422 if fault else 200,
            story_language=story_language(row),
            voice=self.voices.shown(call, row),
            sound=row["voice"] and row["voice"]["sha256"],
            length=row["voice"] and length_of(row),
            agreed=row["voice"] and row["voice"]["agreed"],
            public=row["published"] and not row["suspended"],
            recordings=self._recordings(call, row),
            longest=LONGEST_MS // 1000,
            text=text,
            words=text.scopes[ConsentScope.RECORDING],
            first=form.get("first"),
            last=form.get("last"),
            findings=list(dict.fromkeys(finding.text for finding in findings)),
            fault=fault,
        )

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Choose a passage, agree that strangers hear the one that was chosen, or remove it."""
        form = form_fields(call.raw_body)
        match form.get("do"):
            case "remove":
                self.voices.commands.remove(call.principal.actor, call.ticket_id)
                return self._done(call, "removed")
            case "agree":
                return self._agree(call, form)
        return self._choose(call, form)

    def _choose(self, call: Call, form: Mapping[str, str]) -> Answer[bytes] | Answer[None]:
        # Who chooses one sentence means that one.
        first = form.get("first") or form.get("last", "")
        passage = {"firstSegmentId": first, "lastSegmentId": form.get("last") or first}
        try:
            self.voices.cut(call, validated(ChosenVoice, passage | {"keepFindings": form.get("keep") == "yes"}))
        except UndecidedFindings as undecided:
            return self.show(call, form, "findings", undecided.findings)
        except InvalidError as error:
            return self.show(call, form, _FAULTS.get(error.code, "passage"))
        except Problem as problem:
            if problem.name != "invalid":
                raise
            return self.show(call, form, "none")
        except (RefusedError, NotFoundError):
            return self.show(call, form, "changed")
        except (NotAudioError, UnavailableError, QuotaExceeded):
            return self.show(call, form, "sound")
        return self._done(call, "chosen")

    def _agree(self, call: Call, form: Mapping[str, str]) -> Answer[bytes] | Answer[None]:
        """Record the consent to the passage that the person could hear on this page."""
        voice = call.ticket["voice"]
        if not voice or form.get("sound") != voice["sha256"]:
            return self.show(call, form, "changed")
        if not form.get(ConsentScope.RECORDING):
            return self.show(call, form, "consent")
        body = {
            "scopes": [ConsentScope.RECORDING.value],
            "textVersion": form.get("textVersion", consent_texts.CURRENT),
            "language": form.get("textLanguage", consent_texts.DEFAULT_LANGUAGE),
            **given_on_page(call),
        }
        try:
            consent = validated(GivenConsent, body).consent()
            self.commands.give_consent(call.principal.actor, call.ticket_id, consent, call.ticket["version"])
        except (StaleVersionError, Problem):
            return self.show(call, form, "changed")
        return self._done(call, "agreed")

    def _done(self, call: Call, done: str) -> Answer[None]:
        return see_other(f"/t/{call.ticket_id}/voice?done={done}")

    def _recordings(self, call: Call, row: Row) -> list[HeardRecording]:
        """Return what can be chosen: the segments with a text, of each recording that was transcribed."""
        segments = self.transcripts.segments(call, row) if row["transcriptions"] else []
        by_recording: dict[UUID, list[ShownSegment]] = {}
        for each in segments:
            if each.segment.text.strip():
                by_recording.setdefault(each.place.recording_id, []).append(_shown(each))
        numbers = {recording["id"]: number for number, recording in enumerate(row["recordings"], 1)}
        return [HeardRecording(numbers[str(id)], id, heard) for id, heard in by_recording.items()]


_FAULTS = {FaultCode.TOO_LONG: "long", FaultCode.OUT_OF_RANGE: "order", FaultCode.UNKNOWN_VALUE: "changed"}


def _shown(each: CorrectedSegment) -> ShownSegment:
    segment = each.segment
    return ShownSegment(
        str(each.place), segment.text.strip(), clock(segment.start_ms), segment.start_ms, segment.end_ms
    )
