"""Handlers for the pages about the service itself: who runs it, and what becomes of personal data."""

from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING

from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Operator, Site

if TYPE_CHECKING:
    from entrypoints.composition.settings import Settings


def operator_of(settings: "Settings") -> Operator:
    """Return who runs the service; without a contact of its own, the sender of the mails is asked."""
    contact = settings.operator_contact or (parseaddr(settings.mail_from)[1] if settings.mail_from else None)
    return Operator(settings.operator_name, settings.operator_address, contact)


@dataclass(frozen=True)
class SitePageHandlers:
    site: Site
    settings: "Settings"

    def imprint(self, call: Call) -> Answer[bytes]:
        return self.site.page(call, "imprint.html", operator=self.site.operator)

    def privacy(self, call: Call) -> Answer[bytes]:
        return self.site.page(
            call,
            "privacy.html",
            operator=self.site.operator,
            # A recording or a transcript leaves the service only if the operator chose a model on another server.
            remote_speech=self.settings.speech == "openai",
            remote_drafting=self.settings.drafting == "openai",
        )
