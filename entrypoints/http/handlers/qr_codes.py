"""QR codes of campaign pages."""

import base64

from domain.ports import QrCodes
from entrypoints.presentation.documents import QrCode
from entrypoints.presentation.responses import utc
from projections.model import Row


def qr_code(qr_codes: QrCodes, url: str, row: Row) -> QrCode:
    """Return the QR code of the ticket's campaign page, which is at `url`."""
    return QrCode(qr_data_url(qr_codes, url), url, utc(row["created_at"]))


def qr_data_url(qr_codes: QrCodes, url: str) -> str:
    """Return the QR code as a PNG image in a data URL."""
    return "data:image/png;base64," + base64.b64encode(qr_codes.png(url)).decode()
