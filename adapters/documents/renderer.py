"""Renders sheets as Word and PDF documents."""

from collections.abc import Callable

from adapters.lazy import Lazy
from domain.sheets import Sheet
from domain.values import DocumentFormat


class DocumentRenderer:
    """Implements ports.Printer. One instance may be shared by threads.

    Pages are A4, the most common paper size. The margins are wide enough that nothing is cut off on Letter paper.
    """

    def __init__(self) -> None:
        self._render = Lazy(_render_function)

    def render(self, sheet: Sheet, format: DocumentFormat) -> bytes:
        """Return the sheet as a document. The same sheet gives the same bytes."""
        return self._render()(sheet, format)

    def load(self) -> None:
        """Load fonts and libraries, so that the first document does not wait for them."""
        self._render()


def _render_function() -> Callable[[Sheet, DocumentFormat], bytes]:
    from adapters.documents.layout import lay_out
    from adapters.documents.pdf import PdfRenderer
    from adapters.documents.qr import QrCodeRenderer
    from adapters.documents.word import WordRenderer

    codes, pdf, word = QrCodeRenderer(), PdfRenderer(), WordRenderer()

    def render(sheet: Sheet, format: DocumentFormat) -> bytes:
        layout = lay_out(sheet)
        match format:
            case DocumentFormat.PDF:
                return pdf.render(layout, codes.svg)
            case DocumentFormat.DOCX:
                return word.render(layout, codes.png)

    return render
