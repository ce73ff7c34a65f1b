import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pypdf
import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adapters.documents.renderer import DocumentRenderer
from adapters.proof.checker import AccessLogHead
from adapters.proof.checkpoints import LONGEST_ORIGIN, Signer
from domain.errors import InvalidError
from domain.organisations import Organisation, ReceiptNumber
from domain.sheets import LogoPicture, ReceiptSheet
from domain.values import DocumentFormat, Draft, Money, Segment
from tests.adapters.documents.sheets import (
    DATED,
    LAYLA,
    LINK,
    MARIA,
    campaign,
    docx_codes,
    docx_part,
    docx_text,
    pdf_pictures,
    pdf_text,
    read_codes,
    receipt,
    transcript,
)

DOCX, PDF = DocumentFormat.DOCX, DocumentFormat.PDF
TEXT_OF = {DOCX: docx_text, PDF: pdf_text}
BOTH = pytest.mark.parametrize("format", [DOCX, PDF], ids=str)
SEGMENTS = (
    Segment("My name is Maria.", 700, 4000, "A"),
    Segment("Our kitchen burned down.", 64_000, 66_000, "A"),
    Segment("How much do you need?", 3_723_000, 3_725_000, "2"),
)


@BOTH
def test_a_campaign_shows_every_field_of_its_draft(renderer, format):
    text = TEXT_OF[format](renderer.render(campaign(), format))
    for value in (MARIA.title, MARIA.beneficiary, MARIA.location, MARIA.category, *MARIA.breakdown, "Maria G.", LINK):
        assert value in text
    assert "$5,000.00 USD" in text
    assert text.index("Our kitchen") < text.index("Nobody was hurt") < text.index("We cook") < text.index("Stove")


@BOTH
def test_labels_follow_the_language_of_the_sheet(renderer, format):
    english, spanish, french = (
        TEXT_OF[format](renderer.render(campaign(language=language), format)) for language in ("en", "es-MX", "fr")
    )
    assert "How the money will be used" in english
    assert "En qué se usará el dinero" in spanish
    assert "How the money will be used" in french


@BOTH
def test_an_empty_draft_names_the_missing_fields(renderer, format):
    text = TEXT_OF[format](renderer.render(campaign(Draft(), language=None, url=None), format))
    assert text.count("Not said yet") == 3
    assert "The story has not been written yet." in text
    assert "How the money" not in text


def test_the_code_in_the_word_file_leads_to_the_campaign(renderer):
    with ZipFile(BytesIO(renderer.render(campaign(), DOCX))) as file:
        assert read_codes(Image.open(BytesIO(file.read("word/media/image1.png")))) == [LINK]


def test_the_code_on_the_printed_page_leads_to_the_campaign(renderer):
    assert read_codes(pdf_pictures(renderer.render(campaign(), PDF))[0]) == [LINK]


# With one more line, the code moves to the next page.
@pytest.mark.parametrize("lines", [9, 10, 43, 44])
def test_the_code_is_never_cut_by_the_end_of_a_page(renderer, lines):
    sheet = campaign(replace(MARIA, story="\n".join(["One more line of the story."] * lines)))
    codes = [code for page in pdf_pictures(renderer.render(sheet, PDF)) for code in read_codes(page)]
    assert codes == [LINK]


@BOTH
def test_without_an_address_there_is_no_code(renderer, format):
    document = renderer.render(campaign(url=None), format)
    assert "Give with your phone" not in TEXT_OF[format](document)
    assert b"image1.png" not in document


@BOTH
def test_an_address_too_long_for_a_code_is_refused(renderer, format):
    with pytest.raises(InvalidError):
        renderer.render(campaign(url="https://example.org/" + "a" * 400), format)


@BOTH
def test_a_receipt_shows_the_gift_the_refund_and_the_difference(renderer, format):
    text = TEXT_OF[format](renderer.render(receipt(), format))
    for value in ("Smith", "$100.00 USD", "$30.00 USD", "$70.00 USD", "12 March 2026", "Help Maria", "Maria"):
        assert value in text
    assert "0190a5c2-7d1e-7b34-9a51-2f6c3d4e5f60" in text


@BOTH
@pytest.mark.parametrize(("language", "warning"), [("en", "no money was paid"), ("es", "no se pagó dinero")])
def test_a_test_receipt_cannot_pass_for_a_real_one(renderer, format, language, warning):
    assert warning in TEXT_OF[format](renderer.render(receipt(test=True, language=language), format))
    assert warning not in TEXT_OF[format](renderer.render(receipt(test=False, language=language), format))


SHELTER = Organisation(
    "Shelter at the river e.V.",
    "Uferweg 3\n50667 Köln",
    "VR 12345",
    "No goods or services were provided in return for this gift.",
    "office@shelter.example",
)


def of_shelter(refunded_minor: int) -> ReceiptSheet:
    logo = BytesIO()
    Image.new("RGB", (800, 200), "teal").save(logo, "JPEG")
    return replace(
        receipt(refunded_minor=refunded_minor),
        organisation=SHELTER,
        number=ReceiptNumber(2026, 12),
        logo=LogoPicture(logo.getvalue(), 800, 200),
    )


@BOTH
def test_a_receipt_names_the_organisation_its_number_and_what_the_law_asks_for(renderer, format):
    text = " ".join(TEXT_OF[format](renderer.render(of_shelter(0), format)).split())
    for words in (
        "Receipt number 2026-00012",
        "Received by Shelter at the river e.V.",
        "Uferweg 3, 50667 Köln",
        "VR 12345",
        "No goods or services were provided",
        "office@shelter.example",
    ):
        assert words in text
    assert "paid back" not in text


@BOTH
def test_a_receipt_of_an_organisation_says_that_the_gift_was_paid_back(renderer, format):
    text_of = TEXT_OF[format]
    assert "A part of this gift was paid back" in text_of(renderer.render(of_shelter(3_000), format))
    refunded = text_of(renderer.render(of_shelter(10_000), format))
    assert "paid back in full" in refunded
    assert "No goods or services" not in refunded


def test_the_file_title_of_a_test_receipt_starts_with_test(renderer):
    assert Document(BytesIO(renderer.render(receipt(test=True), DOCX))).core_properties.title.startswith("TEST")
    assert pypdf.PdfReader(BytesIO(renderer.render(receipt(test=True), PDF))).metadata.title.startswith("TEST")


@BOTH
def test_a_transcript_shows_the_time_and_speaker_of_each_segment(renderer, format):
    text = TEXT_OF[format](renderer.render(transcript(*SEGMENTS), format))
    places = [
        text.index(part) for part in ("0:00", "My name", "1:04", "Our kitchen", "Speaker 2", "1:02:03", "How much")
    ]
    assert places == sorted(places)
    assert text.count("\nA") == 1


@BOTH
def test_a_transcript_without_segments_shows_its_text(renderer, format):
    text = TEXT_OF[format](renderer.render(transcript(), format))
    assert text.index("My name is Maria.") < text.index("Our kitchen burned down.")
    assert "Nothing was said." in TEXT_OF[format](renderer.render(transcript(text=" \n"), format))


def test_pages_are_a4(renderer):
    section = Document(BytesIO(renderer.render(campaign(), DOCX))).sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    box = pypdf.PdfReader(BytesIO(renderer.render(campaign(), PDF))).pages[0].mediabox
    assert (round(box.width * 25.4 / 72), round(box.height * 25.4 / 72)) == (210, 297)


def test_a_word_file_names_its_producer_and_date(renderer):
    document = renderer.render(campaign(language="es-MX"), DOCX)
    properties = Document(BytesIO(document)).core_properties
    assert (properties.title, properties.author, properties.last_modified_by) == (
        MARIA.title,
        "Storyledger",
        "Storyledger",
    )
    assert properties.language == "es-MX"
    assert properties.created == properties.modified == DATED.replace(microsecond=0)
    assert "python-docx" not in docx_part(document, "docProps/core.xml")


def test_a_pdf_names_its_producer_and_date(renderer):
    reader = pypdf.PdfReader(BytesIO(renderer.render(campaign(language="es-MX"), PDF)))
    assert (reader.metadata.title, reader.metadata.author) == (MARIA.title, "Storyledger")
    assert reader.metadata.creation_date == reader.metadata.modification_date == DATED.replace(microsecond=0)
    assert reader.root_object["/Lang"] == "es-MX"


def test_every_page_carries_the_date_and_its_number(renderer):
    long = campaign(replace(MARIA, story="\n\n".join(["We were living in the valley. " * 12] * 25)))
    reader = pypdf.PdfReader(BytesIO(renderer.render(long, PDF)))
    assert len(reader.pages) > 2
    for number, page in enumerate(reader.pages, 1):
        assert "12 March 2026" in page.extract_text()
        assert f"{number} / {len(reader.pages)}" in page.extract_text()
    footer = docx_part(renderer.render(long, DOCX), "word/footer1.xml")
    assert "12 March 2026" in footer
    assert 'w:instr="PAGE"' in footer


def test_arabic_in_word_runs_right_to_left_and_latin_inside_it_does_not(renderer):
    body = docx_part(renderer.render(campaign(LAYLA, "ar"), DOCX), "word/document.xml")
    paragraph = next(part for part in body.split("</w:p>") if "Bosch" in part)
    assert "<w:bidi/>" in paragraph
    runs = [run for run in paragraph.split("</w:r>") if "<w:t" in run]
    assert ["<w:rtl/>" in run for run in runs] == [True, False, True]
    assert "<w:bidiVisual/>" in body


def test_english_in_word_has_nothing_that_runs_right_to_left(renderer):
    body = docx_part(renderer.render(campaign(), DOCX), "word/document.xml")
    assert "bidi" not in body
    assert "rtl" not in body


def test_an_arabic_paragraph_in_a_pdf_starts_at_the_right(renderer):
    latin, arabic = (pdf_pictures(renderer.render(campaign(draft, None, None), PDF))[0] for draft in (MARIA, LAYLA))

    def title_margins(picture: Image.Image) -> tuple[int, int]:
        """Return the distance of the title from the left and the right edge of the page, in pixels."""
        title = picture.convert("L").crop((0, 160, picture.width, 205)).point(lambda level: 255 if level < 100 else 0)
        left, _, right, _ = title.getbbox()
        return left, picture.width - right

    margin = 24 / 210 * latin.width
    assert title_margins(latin)[0] == pytest.approx(margin, abs=6)
    assert title_margins(latin)[1] > 2 * margin
    assert title_margins(arabic)[1] == pytest.approx(margin, abs=6)
    assert title_margins(arabic)[0] > 2 * margin


@pytest.mark.parametrize(
    "name",
    ["María Muñoz", "王小美", "佐藤 花子", "김민지", "प्रिया शर्मा", "Γιώργος", "Ольга", "สมชาย", "Zoë 🌻", "Nguyễn"],
)
@BOTH
def test_a_name_in_any_script_can_be_extracted_again(renderer, format, name):
    assert name in TEXT_OF[format](renderer.render(receipt(donor=name), format))


@BOTH
def test_markup_in_a_text_is_printed_as_text(renderer, format):
    markup = '#eval("1") <b>&amp; $x^2$ *bold* @ref `raw` ]]> {{x}} \\u{41} // no'
    sheet = campaign(replace(MARIA, story=markup, title=markup, breakdown=(markup,)))
    assert TEXT_OF[format](renderer.render(sheet, format)).count(markup) >= 2


def test_a_word_longer_than_the_page_stays_on_it(renderer):
    sheet = campaign(Draft(title="W" * 300, story="x" * 3000, beneficiary="N" * 400), url=None)
    for page in pdf_pictures(renderer.render(sheet, PDF)):
        margin = page.crop((page.width - round(20 / 210 * page.width), 0, page.width, page.height))
        assert margin.convert("L").getextrema() == (255, 255)


@BOTH
def test_an_address_and_a_number_can_be_copied_as_they_are(renderer, format):
    address = "https://give.example.org/d/" + "help-maria-rebuild-her-kitchen-7f3k"
    assert address in TEXT_OF[format](renderer.render(campaign(url=address), format))
    assert str(receipt().donation_id) in TEXT_OF[format](renderer.render(receipt(), format))


@BOTH
def test_characters_that_a_file_cannot_hold_are_left_out(renderer, format):
    sheet = campaign(
        Draft(title="\x00Bad\x1b \ud83d title\ufffe", story="a\x00b\n\x0c\n\ud800c", goal=Money(10**40, "\x00USD"))
    )
    text = TEXT_OF[format](renderer.render(sheet, format))
    assert "Bad" in text
    assert "ab" in text
    assert "\x00" not in text


@BOTH
def test_a_story_of_ten_thousand_characters_is_printed_whole(renderer, format):
    story = "\n\n".join(f"Number {number}: in the winter we moved to the valley." for number in range(190))[:10_000]
    text = TEXT_OF[format](renderer.render(campaign(replace(MARIA, story=story)), format))
    assert all(f"Number {number}:" in text for number in range(180))


ACCESS_LOG = AccessLogHead(12_345, bytes(range(32, 64)))
NOTE = Signer(("s" * 40,), "stories.example.org").checkpoint(1_234_567, bytes(range(32)), ACCESS_LOG)
WITH_CHECKPOINT = [
    replace(sheet, checkpoint=NOTE) for sheet in (campaign(), receipt(), transcript(*SEGMENTS), campaign(LAYLA, "ar"))
]


def codes_in(document: bytes, format: DocumentFormat) -> list[str]:
    if format is DOCX:
        return docx_codes(document)
    return [code for page in pdf_pictures(document, 3) for code in read_codes(page)]


@BOTH
@pytest.mark.parametrize("sheet", WITH_CHECKPOINT)
def test_every_document_carries_the_checkpoint_as_it_was_signed(renderer, format, sheet):
    assert NOTE in codes_in(renderer.render(sheet, format), format)


@BOTH
def test_a_person_can_compare_the_checkpoint_without_a_reader(renderer, format):
    for language, sentence in (("en", "1234567 events in the log"), ("es", "1234567 eventos en el registro")):
        text = TEXT_OF[format](renderer.render(replace(receipt(language=language), checkpoint=NOTE), format))
        assert f"{sentence} stories.example.org" in text
        assert NOTE.splitlines()[2][:16] in text


@BOTH
def test_both_codes_of_a_campaign_are_read_from_one_page(renderer, format):
    document = renderer.render(WITH_CHECKPOINT[0], format)
    assert sorted(codes_in(document, format)) == sorted([LINK, NOTE])


@BOTH
def test_the_longest_checkpoint_can_still_be_read(renderer, format):
    log = AccessLogHead(10**18, bytes(range(32)))
    note = Signer(("s" * 40,), "a" * LONGEST_ORIGIN).checkpoint(10**18, bytes(range(32)), log)
    assert note in codes_in(renderer.render(replace(receipt(), checkpoint=note), format), format)


@pytest.mark.parametrize("lines", [24, 80])
def test_the_checkpoints_code_stands_on_the_first_page_of_a_pdf(renderer, lines):
    sheet = replace(campaign(replace(MARIA, story="\n".join(["One more line."] * lines))), checkpoint=NOTE)
    codes_by_page = [read_codes(page) for page in pdf_pictures(renderer.render(sheet, PDF), 3)]
    assert [number for number, codes in enumerate(codes_by_page) if NOTE in codes] == [0]
    assert LINK in [code for codes in codes_by_page for code in codes]


@BOTH
def test_the_same_checkpoint_gives_the_same_bytes_and_another_does_not(renderer, format):
    later = Signer(("s" * 40,), "stories.example.org").checkpoint(1_234_568, bytes(range(32)))
    sheet = receipt()
    printed = [renderer.render(replace(sheet, checkpoint=note), format) for note in (NOTE, NOTE, later, None)]
    assert printed[0] == printed[1]
    assert len(set(printed)) == 3


TYPED_TEXT = st.text(st.characters(), max_size=40) | st.text(
    st.sampled_from("aشא中あ한ह😀\u200d\u0301 .(\n\u202e<&#$"), max_size=60
)


@settings(max_examples=20, deadline=None)
@given(TYPED_TEXT, TYPED_TEXT, TYPED_TEXT, st.none() | TYPED_TEXT, st.integers(-(10**20), 10**20))
def test_any_typed_text_can_be_rendered_and_opened(renderer, title, story, name, language, minor):
    draft = Draft(title=title, story=story, beneficiary=name, goal=Money(minor, "USD"), breakdown=(story, name))
    sheet = campaign(draft, language)
    assert Document(BytesIO(renderer.render(sheet, DOCX))).paragraphs
    assert pypdf.PdfReader(BytesIO(renderer.render(sheet, PDF))).pages


def fingerprints() -> list[str]:
    renderer = DocumentRenderer()
    sheets = (campaign(), campaign(LAYLA, None), receipt(test=True), transcript(*SEGMENTS), WITH_CHECKPOINT[0])
    return [hashlib.sha256(renderer.render(sheet, format)).hexdigest() for sheet in sheets for format in (DOCX, PDF)]


def test_the_same_sheet_gives_the_same_bytes_in_another_process():
    script = "from tests.adapters.documents.test_renderer import fingerprints; print(*fingerprints())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.split() == fingerprints()


def test_another_date_gives_another_file(renderer):
    sheet = campaign()
    later = replace(sheet, dated=datetime(2026, 3, 13, tzinfo=UTC))
    for format in (DOCX, PDF):
        assert renderer.render(sheet, format) != renderer.render(later, format)


def test_threads_may_share_a_printer(renderer):
    sheets = [campaign(), campaign(LAYLA), receipt(), transcript(*SEGMENTS)] * 5
    with ThreadPoolExecutor(4) as threads:
        printed = list(threads.map(lambda sheet: renderer.render(sheet, PDF), sheets))
    assert printed == [renderer.render(sheet, PDF) for sheet in sheets]
