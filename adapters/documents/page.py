"""A sheet laid out as blocks, whatever it is then printed as: what stands on it, in which order and in whose words."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.documents.script import Line, Reading, printable, runs_right_to_left_by_nature
from adapters.documents.wording import Wording
from adapters.localisation import format_date, format_moment, format_money, format_offset, in_utc
from adapters.proof.checker import Checkpoint, signatures
from domain.ports import CampaignSheet, ReceiptSheet, Sheet, TranscriptSheet
from domain.values import Money, Segment

PRODUCER = "Storyledger"
# So much of a root's base64 tells two histories apart for a person who compares.
FINGERPRINT = 16
LONGEST_TITLE = 255  # as long as Word takes


@dataclass(frozen=True)
class Notice:
    """A warning that nobody may overlook."""

    line: Line


@dataclass(frozen=True)
class Fact:
    """A label and what is to be said about it; `said` is False for a stand-in."""

    label: Line
    value: Line
    said: bool = True
    strong: bool = False


@dataclass(frozen=True)
class Facts:
    rows: tuple[Fact, ...]


@dataclass(frozen=True)
class Heading:
    line: Line


@dataclass(frozen=True)
class Paragraph:
    line: Line
    said: bool = True


@dataclass(frozen=True)
class Bullet:
    line: Line


@dataclass(frozen=True)
class Spoken:
    """What was said from `time` on; `speaker` only where it changes."""

    time: str
    speaker: Line | None
    line: Line


@dataclass(frozen=True)
class Code:
    """A QR code that leads to `url`, which is also printed; `description` is for those who cannot see it."""

    heading: Line
    caption: Line
    url: str
    description: str


@dataclass(frozen=True)
class Seal:
    """A signed checkpoint of the whole history as a small QR code, and what of it a person can compare."""

    heading: Line
    use: Line
    state: Line
    note: str
    description: str


Block = Notice | Facts | Heading | Paragraph | Bullet | Spoken | Code | Seal


@dataclass(frozen=True)
class Page:
    """Everything that is printed, and what the file says of itself."""

    kind: Line | None
    title: Line
    blocks: tuple[Block, ...]
    file_title: str
    language: str
    right_to_left: bool
    footer: Line
    page_label: str
    dated: datetime


def laid_out(sheet: Sheet) -> Page:
    """The sheet's page; every text on it is fit to print."""
    match sheet:
        case CampaignSheet():
            return _campaign(sheet)
        case ReceiptSheet():
            return _receipt(sheet)
        case TranscriptSheet():
            return _transcript(sheet)


def _campaign(sheet: CampaignSheet) -> Page:
    draft = sheet.draft
    reading = Reading.of(sheet.language, (draft.title, draft.story, draft.beneficiary, *draft.breakdown))
    words = Wording.of(reading.language)

    def fact(label: str, value: str | None) -> Fact:
        value = printable(value or "")
        return Fact(_label(words, label), reading.line(value) if value else _label(words, "unsaid"), said=bool(value))

    facts = [
        fact("beneficiary", draft.beneficiary),
        fact("location", draft.location),
        Fact(_label(words, "goal"), _label(words, "unsaid"), said=False)
        if draft.goal is None
        else _amount(words, "goal", draft.goal, strong=True),
    ]
    if printable(draft.category or ""):
        facts.append(fact("category", draft.category))
    if printable(sheet.display_name or ""):
        facts.append(fact("told_by", sheet.display_name))
    story = reading.lines(draft.story or "")
    blocks: list[Block] = [Facts(tuple(facts)), Heading(_label(words, "story"))]
    blocks += [Paragraph(line) for line in story] or [Paragraph(_label(words, "unwritten"), said=False)]
    bullets = [Bullet(line) for line in map(reading.line, draft.breakdown) if line.text]
    if bullets:
        blocks += [Heading(_label(words, "breakdown")), *bullets]
    if sheet.target_url:
        blocks.append(_code(words, printable(sheet.target_url)))
    blocks += _seal(words, sheet.checkpoint)
    return _page(words, reading, sheet.dated, "campaign", draft.title, "untitled", blocks)


def _receipt(sheet: ReceiptSheet) -> Page:
    reading = Reading.of(sheet.language, (sheet.campaign_title, sheet.beneficiary, sheet.donor))
    words = Wording.of(reading.language)
    currency = sheet.amount.currency
    facts = [
        Fact(_label(words, "donor"), _or_else(reading, sheet.donor, _label(words, "anonymous"))),
        _amount(words, "amount", sheet.amount, strong=True),
        _amount(words, "refunded", Money(sheet.refunded_minor, currency)),
        _amount(words, "net", Money(sheet.amount.minor - sheet.refunded_minor, currency), strong=True),
        Fact(_label(words, "paid_at"), _plain(words, format_moment(sheet.paid_at, words.language))),
        Fact(_label(words, "donation"), _plain(words, str(sheet.donation_id))),
    ]
    for label, value in (("for_campaign", sheet.campaign_title), ("beneficiary", sheet.beneficiary)):
        if printable(value or ""):
            facts.append(Fact(_label(words, label), reading.line(value or "")))
    blocks: list[Block] = [Notice(_label(words, "test"))] if sheet.test else []
    blocks += [Facts(tuple(facts)), *_seal(words, sheet.checkpoint)]
    page = _page(words, reading, sheet.dated, None, None, "receipt", blocks)
    if not sheet.test:
        return page
    title = _plain(words, words["test_title"].format(title=words["receipt"]))
    return replace(page, title=title, file_title=title.text)


def _transcript(sheet: TranscriptSheet) -> Page:
    transcript = sheet.transcript
    reading = Reading.of(transcript.language, (transcript.text,))
    words = Wording.of(reading.language)
    segments = transcript.segments or ()
    facts = []
    if printable(sheet.display_name or ""):
        facts.append(Fact(_label(words, "told_by"), reading.line(sheet.display_name or "")))
    if segments:
        facts.append(
            Fact(_label(words, "duration"), _plain(words, format_offset(max(part.end_ms for part in segments))))
        )
    blocks: list[Block] = [Facts(tuple(facts))] if facts else []
    spoken: list[Block] = list(_spoken(words, reading, segments))
    spoken = spoken or [Paragraph(line) for line in reading.lines(transcript.text)]
    blocks += spoken or [Paragraph(_label(words, "silent"), said=False)]
    blocks += _seal(words, sheet.checkpoint)
    return _page(words, reading, sheet.dated, None, None, "transcript", blocks)


def _spoken(words: Wording, reading: Reading, segments: tuple[Segment, ...]) -> Iterator[Spoken]:
    last = None
    for segment in segments:
        line = reading.line(segment.text)
        if not line.text:
            continue
        speaker = printable(segment.speaker or "") or None
        named = speaker if speaker is None or not speaker.isdigit() else f"{words['speaker']} {speaker}"
        yield Spoken(format_offset(segment.start_ms), reading.line(named) if named and speaker != last else None, line)
        last = speaker


def _page(
    words: Wording,
    reading: Reading,
    dated: datetime,
    kind: str | None,
    title: str | None,
    untitled: str,
    blocks: list[Block],
) -> Page:
    title_line = _or_else(reading, title, _label(words, untitled))
    return Page(
        kind=_label(words, kind) if kind else None,
        title=title_line,
        blocks=tuple(blocks),
        file_title=title_line.text[:LONGEST_TITLE],
        language=reading.language,
        right_to_left=title_line.right_to_left or runs_right_to_left_by_nature(reading.language),
        footer=_plain(words, f"{PRODUCER} · {format_date(dated, words.language)}"),
        page_label=words["page"],
        dated=in_utc(dated).replace(microsecond=0),
    )


def _code(words: Wording, url: str) -> Code:
    return Code(_label(words, "give"), _label(words, "scan"), url, words["code"].format(url=url))


def _seal(words: Wording, note: str | None) -> list[Block]:
    """The last thing on a page: whoever holds it can tell later whether the history is still the one of then."""
    if note is None:
        return []
    checkpoint = Checkpoint.parse(signatures(note)[0])
    root = b64encode(checkpoint.root).decode()[:FINGERPRINT]
    state = words["seal_state"].format(events=checkpoint.size, origin=printable(checkpoint.origin), root=root)
    description = words["seal_code"].format(state=state)
    return [Seal(_label(words, "seal"), _label(words, "seal_use"), _plain(words, state), note, description)]


def _amount(words: Wording, label: str, money: Money, *, strong: bool = False) -> Fact:
    return Fact(_label(words, label), _plain(words, printable(format_money(money, words.language))), strong=strong)


def _label(words: Wording, label: str) -> Line:
    return _plain(words, words[label])


def _plain(words: Wording, text: str) -> Line:
    return Line(text, right_to_left=False, language=words.language)


def _or_else(reading: Reading, text: str | None, otherwise: Line) -> Line:
    line = reading.line(text or "")
    return line if line.text else otherwise
