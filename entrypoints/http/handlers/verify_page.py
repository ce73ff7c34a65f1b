"""Handlers for the page on which anybody checks the code of a printed page, or an export. Nothing sent is kept."""

import re
from dataclasses import dataclass
from datetime import datetime

from adapters.localisation import format_moment, supported_language
from adapters.proof.checker import Finding, Refused
from adapters.proof.visitors import ProofChecks, ProvedPaper
from entrypoints.http.bodies import form_fields
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, reader_language

_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'name="(text|file)"', re.IGNORECASE)


@dataclass(frozen=True)
class VerifyPageHandlers:
    checks: ProofChecks
    site: Site

    def show(
        self,
        call: Call,
        status: int = 200,
        *,
        is_empty: bool = False,
        refusal: str | None = None,
        finding: Finding | None = None,
        paper: ProvedPaper | None = None,
    ) -> Answer[bytes]:
        language = reader_language(call.headers, call.query.get("lang"))
        first, last = (_moment(text, language) for text in ((finding.first, finding.last) if finding else (None, None)))
        return self.site.page(
            call, "verify.html", status,
            empty=is_empty, refusal=refusal, finding=finding, paper=paper, first=first, last=last,
        )  # fmt: skip

    def verify(self, call: Call) -> Answer[bytes]:
        text = sent_text(call.headers.get("content-type", ""), call.raw_body)
        if not text.strip():
            return self.show(call, 422, is_empty=True)
        try:
            proved = self.checks.text(text)
        except Refused as refused:
            return self.show(call, refusal=str(refused))
        if isinstance(proved, Finding):
            return self.show(call, finding=proved)
        return self.show(call, paper=proved)


def _moment(text: str | None, language: str) -> str | None:
    return None if text is None else format_moment(datetime.fromisoformat(text), supported_language(language))


def sent_text(content_type: str, body: bytes) -> str:
    """Return the file or the text of the form, whichever is there; an empty text if the form cannot be read."""
    boundary = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data"):
        return form_fields(body).get("text", "")
    if boundary is None:
        return ""
    fields: dict[str, str] = {}
    # The first part follows a boundary without a line end before it.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if name := _NAME.search(head):
            fields[name[1].decode().lower()] = content.decode("utf-8", "replace")
    return fields.get("file", "").strip() or fields.get("text", "")
