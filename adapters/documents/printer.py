"""Sheets as documents that can be handed to somebody."""

from __future__ import annotations

from collections.abc import Callable

from adapters.lazy import Lazy
from domain.ports import Sheet
from domain.values import DocumentFormat


class DocumentPrinter:
    """Implements ports.Printer; build it once, share it between threads.

    Pages are A4 with margins wide enough that they also print whole on Letter paper: a sheet does not say where
    it will be printed, and A4 is what most of the world has in the printer.
    """

    def __init__(self) -> None:
        self._press = Lazy(_press)

    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """The sheet as a document; the same sheet gives the same bytes."""
        return self._press()(sheet, format)

    def load(self) -> None:
        """So that the first who prints need not wait for fonts and libraries."""
        self._press()


def _press() -> Callable[[Sheet, DocumentFormat], bytes]:
    from adapters.documents.page import laid_out
    from adapters.documents.pdf import PdfRenderer
    from adapters.documents.qr import QrPrinter
    from adapters.documents.word import WordRenderer

    codes, pdf, word = QrPrinter(), PdfRenderer(), WordRenderer()

    def render(sheet: Sheet, format: DocumentFormat) -> bytes:
        page = laid_out(sheet)
        match format:
            case DocumentFormat.PDF:
                return pdf.print(page, codes.svg)
            case DocumentFormat.DOCX:
                return word.print(page, codes.png)

    return render
