"""The transcript of a ticket as JSON, text, subtitles and a Word file."""

from __future__ import annotations

from io import BytesIO

import docx
import pytest

from domain.values import Segment, Transcript
from tests.client import RECORDING, Ticket
from tests.entrypoints.conftest import JobRunner
from tests.entrypoints.http.contract import pointers, problem

SEGMENTS = (Segment("Rain & snow.", 0, 1_500), Segment("We --> waited.", 3_661_002, 3_662_000, "Ada"))
TIMED = Transcript("Rain & snow. We --> waited.", "en", "fake", SEGMENTS)


def transcribed(ticket: Ticket, work: JobRunner, transcript: Transcript) -> None:
    ticket.upload(RECORDING.read_bytes())
    ticket.post("/process")
    work.do(ticket, outcome=transcript)


def export(ticket: Ticket, format: str) -> str:
    answer = ticket.get("/transcript", params={"format": format})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_transcript_with_times_is_exported_in_every_format(ticket: Ticket, work: JobRunner):
    transcribed(ticket, work, TIMED)
    assert [part["startMs"] for part in ticket.get("/transcript").json()["segments"]] == [0, 3_661_002]
    assert export(ticket, "txt") == "Rain & snow.\nWe --> waited.\n"
    assert export(ticket, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nRain & snow.\n\n2\n01:01:01,002 --> 01:01:02,000\nAda: We → waited.\n"
    )
    assert export(ticket, "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nRain &amp; snow.\n\n"
        "01:01:01.002 --> 01:01:02.000\n<v Ada>We → waited.\n"
    )
    word = docx.Document(BytesIO(ticket.get("/transcript", params={"format": "docx"}).content))
    assert any("Rain & snow." in paragraph.text for paragraph in word.paragraphs)


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_a_transcript_without_times_has_no_subtitles(ticket: Ticket, work: JobRunner, format: str):
    transcribed(ticket, work, Transcript("Rain.", "en", "fake"))
    assert "no times" in problem(ticket.get("/transcript", params={"format": format}), 409, "conflict")["detail"]
    assert export(ticket, "txt") == "Rain.\n"
    assert ticket.get("/transcript").json()["text"] == "Rain."
    assert ticket.get("/transcript", params={"format": "docx"}).content.startswith(b"PK")


def test_there_is_no_transcript_of_a_ticket_without_a_transcribed_recording(ticket: Ticket):
    problem(ticket.get("/transcript"), 409, "conflict")


def test_an_unknown_format_is_refused(ticket: Ticket):
    assert pointers(ticket.get("/transcript", params={"format": "doc"})) == ["/format"]
