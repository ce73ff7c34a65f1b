"""Handlers for the pages of the audit: the timeline of a ticket, its state at any time, and the check of its proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from adapters import ids
from adapters.event_store.log import StoredEntry, TicketExtent
from adapters.identity.credentials import API_KEY, Credentials
from adapters.proof.checker import Refused
from adapters.proof.checkpoints import Checkpoints
from adapters.proof.visitors import MAX_CHECKED_EVENTS, ProofChecks
from adapters.read_models.in_memory import folded, ticket_row
from domain.commands.workspaces import WorkspaceCommands
from domain.values import Money, Role
from entrypoints.http.bodies import form_fields
from entrypoints.http.cookies import KEY_SECONDS, comes_from_own_page, session_cookie
from entrypoints.http.desk import name_of
from entrypoints.http.handlers.history import position_parameter
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, caller_language, own_path, see_other
from entrypoints.http.paging import cursor_after, requested_page
from entrypoints.http.problems import Problem
from entrypoints.presentation.donations import DonationTotals
from entrypoints.presentation.event_sentences import ENTRY_KINDS
from entrypoints.presentation.past_ledger import past_totals
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.tickets import Ticket
from entrypoints.presentation.timeline import Line, Reader, timeline
from projections import donation_ledger
from projections.model import RecordedEvent, Row

AUDIT = "/audit"
# All entries of a total are in the answer of `/donations/total?explain=true`.
MAX_SHOWN_ENTRIES = 100
READERS_OF_ALL = (Role.ADMIN, Role.AUDITOR)


@dataclass(frozen=True)
class AuditPageHandlers:
    credentials: Credentials
    checkpoints: Checkpoints
    checks: ProofChecks
    workspaces: WorkspaceCommands
    site: Site

    def enter(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Show the form for a key, or to auditors the form for a story, and lead to the story that it names."""
        typed = call.query.get("ticket", "").strip().rstrip("/").rpartition("/")[2]
        if (ticket_id := ids.parse(typed)) is not None:
            return see_other(f"{AUDIT}/{ticket_id}")
        return self._entrance(call, call.query.get("next"), wrong="ticket" if typed else None)

    def sign_in(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Sign the browser in with the key of an auditor or an administrator."""
        if not comes_from_own_page(call.headers):
            raise Problem("forbidden", "This request does not come from a page of this service.")
        form = form_fields(call.raw_body)
        key = form.get("key", "").strip()
        principal = self.credentials.principal(key) if key.startswith(API_KEY) else None
        if principal is None or principal.role not in READERS_OF_ALL:
            return self._entrance(call, form.get("next"), wrong="key", status=422)
        cookie = session_cookie(key, https=self.site.https, seconds=KEY_SECONDS)
        return see_other(own_path(form.get("next"), AUDIT), cookie)

    def _entrance(self, call: Call, next_path: str | None, wrong: str | None, status: int = 200) -> Answer[bytes]:
        return self.site.page(
            call,
            "audit_entrance.html",
            status,
            own_ticket=call.principal.ticket,
            may_read=call.principal.role in READERS_OF_ALL,
            wrong=wrong,
            next=own_path(next_path, AUDIT),
            key_minutes=KEY_SECONDS // 60,
        )

    def show(self, call: Call) -> Answer[bytes]:
        personal = call.personal_data()
        reader = Reader(caller_language(call), personal)
        extent = call.reads.ask_log(lambda log: log.ticket_extent(call.ticket_id))
        at = _requested_position(call, extent)
        page = requested_page(call)
        after = page.after_position()
        if after is None:
            after = 0 if at is None else _end_of_page_before(call, at, page.limit)
        entries = page.cut(
            call.reads.ask_log(lambda log: log.ticket_page(call.ticket_id, after, page.limit + 1)),
            lambda entry: [entry.position],
        )
        end = entries[-1].position if entries else after
        history = call.reads.ask_log(lambda log: list(log.ticket_events(call.ticket_id, max(end, at or 0))))
        first = sum(entry.position <= after for entry in history)
        row, totals = self._as_of(call, history, at, personal)
        explained = list(totals.entries or [])
        lines = timeline([entry for entry in history if entry.position <= end], first, reader)
        return self.site.page(
            call,
            "audit.html",
            path=f"{AUDIT}/{call.ticket_id}",
            ticket_id=str(call.ticket_id),
            title=personal.draft(call.ticket).title,
            masked=call.masked,
            names=self._names(call, lines),
            lines=lines,
            extent=extent,
            at=at,
            at_moment=_last(history, at).recorded_at if at else None,
            state=reader.state(Ticket.from_row(row, personal).status),
            is_suspended=row["suspended"],
            totals=totals,
            entries=explained[:MAX_SHOWN_ENTRIES],
            hidden_entries=max(0, len(explained) - MAX_SHOWN_ENTRIES),
            entry_kind=lambda kind: reader.message(ENTRY_KINDS[kind]),
            signed_events=self._signed_events(),
            cursor=call.query.get("cursor"),
            line_url=lambda position: _url(call, at=position, cursor=call.query.get("cursor")),
            next_url=_url(call, at=at, cursor=page.next_cursor) if page.next_cursor else None,
            previous_url=_previous_url(call, history, first, page.limit, at),
        )

    def _as_of(
        self, call: Call, history: Sequence[StoredEntry], at: int | None, personal: PersonalData
    ) -> tuple[Row, DonationTotals]:
        """Return the ticket's row and its totals with their entries, at the position or as they are now."""
        if at is None:
            (totals, last), entries = call.reads.ask(
                lambda cursor: (
                    donation_ledger.summary(cursor, call.ticket_id),
                    donation_ledger.entries(cursor, call.ticket_id),
                )
            )
            return call.ticket, DonationTotals.from_rows(call.ticket, totals, last, entries, personal)
        events = _recorded([entry for entry in history if entry.position <= at])
        row = ticket_row(events)
        assert row is not None, "the position is not before the first event"
        return row, past_totals(row, folded(donation_ledger, events), personal, explain=True)

    def _names(self, call: Call, lines: Sequence[Line]) -> dict[str, str]:
        """Return the names of the staff by their ids, for colleagues and administrators; masked ones get addresses."""
        ids_of_staff = {line.actor_id for line in lines if line.by_staff and line.actor_id}
        if not ids_of_staff or call.principal.role not in (Role.MEMBER, Role.ADMIN):
            return {}
        workspace = self.workspaces.workspaces.get(call.ticket["workspace"])
        language = caller_language(call)
        return {
            member_id: name_of(f"member:{member_id}", workspace, language, masked=call.masked)
            for member_id in ids_of_staff
        }

    def _signed_events(self) -> int:
        """Return the size of the newest checkpoint: events up to this position are signed."""
        note = self.checkpoints.latest()
        return self.checkpoints.signer.read(note).size if note else 0

    def check(self, call: Call) -> Answer[bytes]:
        """Check the proof of the whole history now, and add its total up again."""
        personal = call.personal_data()
        reader = Reader(caller_language(call), personal)
        extent = call.reads.ask_log(lambda log: log.ticket_extent(call.ticket_id))
        finding = refusal = added_up = shown = None
        if extent.events <= MAX_CHECKED_EVENTS:
            try:
                finding = self.checks.ticket(call.ticket_id)
            except Refused as refused:
                refusal = str(refused)
            history = call.reads.ask_log(lambda log: list(log.ticket_events(call.ticket_id, extent.last)))
            _, shown = self._as_of(call, history, None, personal)
            _, added_up = self._as_of(call, history, extent.last, personal)
        return self.site.page(
            call,
            "audit_check.html",
            path=f"{AUDIT}/{call.ticket_id}",
            ticket_id=str(call.ticket_id),
            finding=finding,
            refusal=refusal,
            extent=extent,
            max_events=MAX_CHECKED_EVENTS,
            added_up=added_up and reader.money(Money(added_up.total_minor, added_up.currency)),
            shown=shown and reader.money(Money(shown.total_minor, shown.currency)),
        )


def _recorded(entries: Sequence[StoredEntry]) -> list[RecordedEvent]:
    return [RecordedEvent(entry.position, entry.recorded_at, entry.event()) for entry in entries]


def _requested_position(call: Call, extent: TicketExtent) -> int | None:
    """Return the position in the query, or the ticket's first one if that is later; None for the present."""
    if not call.query.get("at"):
        return None
    return min(max(position_parameter(call, call.query["at"]), extent.first), extent.last)


def _end_of_page_before(call: Call, at: int, limit: int) -> int:
    """Return the last position of the page before the one that has the event at a position, or 0."""
    positions = [e.position for e in call.reads.ask_log(lambda log: list(log.ticket_events(call.ticket_id, at)))]
    index = (len(positions) - 1) // limit * limit
    return positions[index - 1] if index > 0 else 0


def _last(history: Sequence[StoredEntry], at: int) -> StoredEntry:
    return [entry for entry in history if entry.position <= at][-1]


def _previous_url(call: Call, history: Sequence[StoredEntry], first: int, limit: int, at: int | None) -> str | None:
    if first == 0:
        return None
    index = first - limit
    # Without a cursor, the page with the position `at` would be shown.
    position = history[index - 1].position if index > 0 else 0
    return _url(call, at=at, cursor=cursor_after([position]))


def _url(call: Call, *, at: int | None, cursor: str | None) -> str:
    query = {"at": at, "cursor": cursor, "limit": call.query.get("limit")}
    parameters = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{AUDIT}/{call.ticket_id}?{parameters}"
