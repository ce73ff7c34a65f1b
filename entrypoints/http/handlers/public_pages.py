"""The public pages of one campaign: which ticket an address belongs to, and the answer where strangers see none."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

from adapters.drafting.language import language_of
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, caller_language
from entrypoints.presentation.tickets import Draft
from projections import ticket_status
from projections.model import Row

NO_PAGE = "There is no such page, or it is not public yet."
REMEMBERED_LANGUAGES = 1_000


def page_row(call: Call) -> Row | None:
    """Return the row of the ticket that the path's slug belongs to, or None."""
    slug = call.path_params["slug"]
    if not (slug.isascii() and slug.isalnum()):
        return None
    return call.reads.primary.read(ticket_status.ticket_by_slug, slug)


def unavailable_page(site: Site, call: Call, row: Row | None) -> Answer[bytes]:
    """Return the answer for a page that strangers do not see: 410 while its ticket is suspended, otherwise 404."""
    if row is not None and row["suspended"] and not row["erased"]:
        return site.gone(call)
    return site.not_found(call, NO_PAGE, "not_public.html")


@dataclass(frozen=True)
class StoryLanguages:
    """The languages of stories: what the analysis of the recording found, or what the text of the draft looks like."""

    _detected: OrderedDict[tuple[UUID, int], str | None] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, row: Row, draft: Draft) -> str | None:
        """Return the language of the ticket's draft as strangers see it, or None if it is not known."""
        if draft.language:
            return draft.language
        key = row["ticket_id"], row["version"]
        with self._lock:
            if key in self._detected:
                return self._detected[key]
        text = "\n".join(part for part in (draft.title, draft.story, *draft.breakdown) if part)
        detected = language_of(text, None)
        with self._lock:
            self._detected[key] = detected
            while len(self._detected) > REMEMBERED_LANGUAGES:
                self._detected.popitem(last=False)
        return detected


def page_language(call: Call, row: Row, story_language: str | None, chosen: str | None = None) -> str:
    """Return the language of a campaign's page: what the reader chose, or the story's, or the workspace's."""
    return caller_language(call, story_language, chosen=chosen, workspace=row["workspace"])
