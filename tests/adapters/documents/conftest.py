import pytest

from adapters.documents.printer import DocumentPrinter


@pytest.fixture(scope="session")
def printer() -> DocumentPrinter:
    return DocumentPrinter()
