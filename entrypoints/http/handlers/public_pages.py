"""The public pages of one campaign: which ticket an address belongs to, and the answer where strangers see none."""

from adapters.postgres.database import Database
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site
from projections import ticket_status
from projections.model import Row

NO_PAGE = "There is no such page, or it is not public yet."


def page_row(database: Database, call: Call) -> Row | None:
    """Return the row of the ticket that the path's slug belongs to, or None."""
    slug = call.path_params["slug"]
    if not (slug.isascii() and slug.isalnum()):
        return None
    with database.reading() as cursor:
        return ticket_status.ticket_by_slug(cursor, slug)


def unavailable_page(site: Site, call: Call, row: Row | None) -> Answer[bytes]:
    """Return the answer for a page that strangers do not see: 410 while its ticket is suspended, otherwise 404."""
    if row is not None and row["suspended"] and not row["erased"]:
        return site.gone(call)
    return site.not_found(call, NO_PAGE, "not_public.html")
