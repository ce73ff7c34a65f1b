"""Sheets as documents that can be handed to somebody."""

from __future__ import annotations

from adapters.documents.page import laid_out
from adapters.documents.pdf import PdfPress
from adapters.documents.qr import QrPrinter
from adapters.documents.word import WordPress
from domain.ports import Sheet
from domain.values import DocumentFormat


class DocumentPrinter:
    """Implements ports.Printer; build it once, share it between threads.

    Pages are A4 with margins wide enough that they also print whole on Letter paper: a sheet does not say where
    it will be printed, and A4 is what most of the world has in the printer.
    """

    def __init__(self) -> None:
        self._codes = QrPrinter()
        self._pdf = PdfPress()
        self._word = WordPress()

    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """The sheet as a document; the same sheet gives the same bytes."""
        page = laid_out(sheet)
        match format:
            case DocumentFormat.PDF:
                return self._pdf.print(page, self._codes.svg)
            case DocumentFormat.DOCX:
                return self._word.print(page, self._codes.png)
