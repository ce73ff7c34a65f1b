"""The layout of a document: its title and blocks in order, independent of the file format."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.documents.script import DocumentLanguage, TextLine, is_right_to_left_language, printable
from adapters.documents.wording import Wording
from adapters.localisation import format_date, format_moment, format_money, format_offset, in_utc
from adapters.proof.checker import Checkpoint, signatures
from domain.organisations import Organisation
from domain.sheets import CampaignSheet, LogoPicture, ReceiptSheet, Sheet, TranscriptSheet
from domain.values import Money, Segment

PRODUCER = "Storyledger"
# 16 characters of the root's base64 are short enough to compare by eye and still tell two histories apart.
FINGERPRINT_LENGTH = 16
MAX_FILE_TITLE = 255  # the limit of Word's title property

LOGO_WIDTH_MM, LOGO_HEIGHT_MM = 60, 16


@dataclass(frozen=True)
class WarningBox:
    """A warning in a box across the page."""

    line: TextLine


@dataclass(frozen=True)
class Field:
    """A label and its value. `missing` marks a value that only says that the real one is missing."""

    label: TextLine
    value: TextLine
    missing: bool = False
    strong: bool = False


@dataclass(frozen=True)
class FieldTable:
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Heading:
    line: TextLine


@dataclass(frozen=True)
class Paragraph:
    line: TextLine
    missing: bool = False


@dataclass(frozen=True)
class Bullet:
    line: TextLine


@dataclass(frozen=True)
class SpokenPart:
    """A transcript segment. `speaker` is set only where it differs from the segment before."""

    time: str
    speaker: TextLine | None
    line: TextLine


@dataclass(frozen=True)
class LinkCode:
    """A QR code of `url`, with the address printed below it. `description` is the alternative text of the picture."""

    heading: TextLine
    caption: TextLine
    url: str
    description: str


@dataclass(frozen=True)
class Logo:
    """A JPEG above the title, as large as it fits into LOGO_WIDTH_MM and LOGO_HEIGHT_MM."""

    image: bytes
    width_mm: float
    height_mm: float
    description: str


@dataclass(frozen=True)
class CheckpointCode:
    """A small QR code of a signed checkpoint `note`, and the part of it that a person can compare by eye."""

    heading: TextLine
    explanation: TextLine
    state: TextLine
    note: str
    description: str


Block = WarningBox | FieldTable | Heading | Paragraph | Bullet | SpokenPart | LinkCode


@dataclass(frozen=True)
class DocumentLayout:
    """The content of a document and its file properties. Every text is printable.

    The code of the checkpoint stands at the foot of the first page of a PDF, and at the end of a Word file.
    """

    kind: TextLine | None
    title: TextLine
    blocks: tuple[Block, ...]
    checkpoint_code: CheckpointCode | None
    file_title: str
    language: str
    right_to_left: bool
    footer: TextLine
    page_label: str
    dated: datetime
    logo: Logo | None = None


def lay_out(sheet: Sheet) -> DocumentLayout:
    match sheet:
        case CampaignSheet():
            return _campaign(sheet)
        case ReceiptSheet():
            return _receipt(sheet)
        case TranscriptSheet():
            return _transcript(sheet)


def _campaign(sheet: CampaignSheet) -> DocumentLayout:
    draft = sheet.draft
    language = DocumentLanguage.of(sheet.language, (draft.title, draft.story, draft.beneficiary, *draft.breakdown))
    words = Wording.of(language.tag)

    def field(label: str, text: str | None) -> Field:
        value = language.line(text or "")
        return Field(_label(words, label), value) if value.text else _missing_field(words, label)

    fields = [
        field("beneficiary", draft.beneficiary),
        field("location", draft.location),
        _missing_field(words, "goal") if draft.goal is None else _amount(words, "goal", draft.goal, strong=True),
    ]
    if printable(draft.category or ""):
        fields.append(field("category", draft.category))
    if printable(sheet.display_name or ""):
        fields.append(field("told_by", sheet.display_name))
    story = language.lines(draft.story or "")
    blocks: list[Block] = [FieldTable(tuple(fields)), Heading(_label(words, "story"))]
    blocks += [Paragraph(line) for line in story] or [Paragraph(_label(words, "no_story"), missing=True)]
    bullets = [Bullet(line) for line in map(language.line, draft.breakdown) if line.text]
    if bullets:
        blocks += [Heading(_label(words, "breakdown")), *bullets]
    if sheet.target_url:
        blocks.append(_link_code(words, printable(sheet.target_url)))
    return _document(words, language, sheet, "campaign", draft.title, "untitled", blocks)


def _receipt(sheet: ReceiptSheet) -> DocumentLayout:
    language = DocumentLanguage.of(sheet.language, (sheet.campaign_title, sheet.beneficiary, sheet.donor))
    words = Wording.of(language.tag)
    currency = sheet.amount.currency
    organisation = sheet.organisation if sheet.organisation.legal_name else None
    fields = [
        *([Field(_label(words, "receipt_number"), _own_text(words, str(sheet.number)))] if sheet.number else []),
        Field(_label(words, "donor"), _line_or(language, sheet.donor, _label(words, "anonymous"))),
        *(_recipient(words, language, organisation) if organisation else []),
        _amount(words, "amount", sheet.amount, strong=True),
        _amount(words, "refunded", Money(sheet.refunded_minor, currency)),
        _amount(words, "net", Money(sheet.amount.minor - sheet.refunded_minor, currency), strong=True),
        Field(_label(words, "paid_at"), _own_text(words, format_moment(sheet.paid_at, words.language))),
        Field(_label(words, "donation"), _own_text(words, str(sheet.donation_id))),
    ]
    for label, value in (("for_campaign", sheet.campaign_title), ("beneficiary", sheet.beneficiary)):
        if printable(value or ""):
            fields.append(Field(_label(words, label), language.line(value or "")))
    blocks: list[Block] = [WarningBox(_label(words, "test"))] if sheet.test else []
    if organisation and sheet.refunded_minor:
        refunded = "refunded_wholly" if sheet.refunded_minor >= sheet.amount.minor else "refunded_partly"
        blocks.append(WarningBox(_label(words, refunded)))
    blocks.append(FieldTable(tuple(fields)))
    if organisation:
        # Nothing is left of a gift that was paid back, so nothing is said of its tax.
        wording = organisation.tax_wording if sheet.refunded_minor < sheet.amount.minor else None
        blocks += [Paragraph(line) for line in language.lines(wording or "")]
        if printable(organisation.contact or ""):
            blocks.append(Heading(_label(words, "contact")))
            blocks += [Paragraph(line) for line in language.lines(organisation.contact or "")]
    layout = _document(words, language, sheet, None, None, "receipt", blocks)
    if organisation:
        name = language.line(organisation.legal_name or "")
        layout = replace(layout, kind=name, logo=_logo(sheet.logo, name.text) if sheet.logo else None)
    if not sheet.test:
        return layout
    title = _own_text(words, words["test_title"].format(title=words["receipt"]))
    return replace(layout, title=title, file_title=title.text)


def _logo(picture: LogoPicture, name: str) -> Logo:
    scale = min(LOGO_WIDTH_MM / picture.width, LOGO_HEIGHT_MM / picture.height)
    return Logo(picture.image, picture.width * scale, picture.height * scale, name)


def _recipient(words: Wording, language: DocumentLanguage, organisation: Organisation) -> list[Field]:
    """Return who received the gift, as far as the settings of the workspace tell."""
    values = {
        "recipient": organisation.legal_name,
        "address": ", ".join((organisation.address or "").splitlines()),
        "registration_number": organisation.registration_number,
    }
    return [Field(_label(words, label), language.line(value)) for label, value in values.items() if value]


def _transcript(sheet: TranscriptSheet) -> DocumentLayout:
    transcript = sheet.transcript
    language = DocumentLanguage.of(transcript.language, (transcript.text,))
    words = Wording.of(language.tag)
    segments = transcript.segments or ()
    fields = []
    if printable(sheet.display_name or ""):
        fields.append(Field(_label(words, "told_by"), language.line(sheet.display_name or "")))
    if segments:
        duration = format_offset(max(segment.end_ms for segment in segments))
        fields.append(Field(_label(words, "duration"), _own_text(words, duration)))
    blocks: list[Block] = [FieldTable(tuple(fields))] if fields else []
    parts: list[Block] = list(_spoken_parts(words, language, segments))
    parts = parts or [Paragraph(line) for line in language.lines(transcript.text)]
    blocks += parts or [Paragraph(_label(words, "silent"), missing=True)]
    return _document(words, language, sheet, None, None, "transcript", blocks)


def _spoken_parts(words: Wording, language: DocumentLanguage, segments: tuple[Segment, ...]) -> Iterator[SpokenPart]:
    previous_speaker = None
    for segment in segments:
        line = language.line(segment.text)
        if not line.text:
            continue
        speaker = printable(segment.speaker or "")
        name = f"{words['speaker']} {speaker}" if speaker.isdigit() else speaker
        changed = speaker and speaker != previous_speaker
        yield SpokenPart(format_offset(segment.start_ms), language.line(name) if changed else None, line)
        previous_speaker = speaker


def _document(
    words: Wording,
    language: DocumentLanguage,
    sheet: Sheet,
    kind: str | None,
    title: str | None,
    default_title: str,
    blocks: list[Block],
) -> DocumentLayout:
    title_line = _line_or(language, title, _label(words, default_title))
    return DocumentLayout(
        kind=_label(words, kind) if kind else None,
        title=title_line,
        blocks=tuple(blocks),
        checkpoint_code=_checkpoint_code(words, sheet.checkpoint),
        file_title=title_line.text[:MAX_FILE_TITLE],
        language=language.tag,
        right_to_left=title_line.right_to_left or is_right_to_left_language(language.tag),
        footer=_own_text(words, f"{PRODUCER} · {format_date(sheet.dated, words.language)}"),
        page_label=words["page"],
        dated=in_utc(sheet.dated).replace(microsecond=0),
    )


def _link_code(words: Wording, url: str) -> LinkCode:
    return LinkCode(_label(words, "give"), _label(words, "scan"), url, words["code"].format(url=url))


def _checkpoint_code(words: Wording, note: str | None) -> CheckpointCode | None:
    """Return the code that lets a reader check later whether the event log still agrees with this document."""
    if note is None:
        return None
    checkpoint = Checkpoint.parse(signatures(note)[0])
    root = b64encode(checkpoint.root).decode()[:FINGERPRINT_LENGTH]
    state = words["proof_state"].format(events=checkpoint.size, origin=printable(checkpoint.origin), root=root)
    description = words["proof_code"].format(state=state)
    return CheckpointCode(
        _label(words, "proof"), _label(words, "proof_use"), _own_text(words, state), note, description
    )


def _amount(words: Wording, label: str, money: Money, *, strong: bool = False) -> Field:
    text = printable(format_money(money, words.language))
    return Field(_label(words, label), _own_text(words, text), strong=strong)


def _missing_field(words: Wording, label: str) -> Field:
    return Field(_label(words, label), _label(words, "missing"), missing=True)


def _label(words: Wording, label: str) -> TextLine:
    return _own_text(words, words[label])


def _own_text(words: Wording, text: str) -> TextLine:
    """Return a line in the language of the labels."""
    return TextLine(text, right_to_left=False, language=words.language)


def _line_or(language: DocumentLanguage, text: str | None, default: TextLine) -> TextLine:
    line = language.line(text or "")
    return line if line.text else default
