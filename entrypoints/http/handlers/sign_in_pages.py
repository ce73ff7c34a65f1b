"""Pages on which a person signs in, sees the list of their stories, and signs out.

Like `/api/access/request`, they answer the same in the same time for every contact, known or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import TupleRow

from adapters import contacts, ids
from adapters.identity.credentials import TICKET_TOKEN, ticket_holder
from adapters.identity.login_codes import LoginCodes
from adapters.identity.members import MemberSessions
from adapters.identity.session_openings import SessionOpening
from adapters.identity.sessions import SESSION_TOKEN, end_session
from adapters.localisation import format_date, supported_language
from adapters.mail.outbox import Outbox
from domain.errors import InvalidError
from domain.values import ContactType, ContentStatus, Role
from entrypoints.http.bodies import form_fields
from entrypoints.http.cookies import comes_from_own_page, session_cookie
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, own_path, page_language, see_other
from entrypoints.http.problems import Problem
from entrypoints.presentation.tickets import DraftSummary
from projections import contact_index, ticket_status
from projections.model import Row

HOME_OF_HOLDER = "/find"
MAX_STORIES = 100
# Says in the address of the page for the code that it comes as a text message.
TEXT = "text"
NO_ERRORS: Mapping[str, str] = MappingProxyType({})


class Story(NamedTuple):
    """A story in the list of a person's stories."""

    ticket_id: UUID
    title: str | None
    begun: str
    status: ContentStatus
    suspended: bool


@dataclass(frozen=True)
class SignInPageHandlers:
    login_codes: LoginCodes
    outbox: Outbox
    site: Site
    member_sessions: MemberSessions

    def find(self, call: Call) -> Answer[bytes]:
        """Show the form for the contact, or to a person who is signed in the list of their stories."""
        if call.principal.role is Role.HOLDER:
            stories = self._stories(call)
            full, erased = len(stories) == MAX_STORIES, "erased" in call.query
            return self.site.page(call, "find_stories.html", stories=stories, full=full, erased=erased)
        return self._contact_page(call, call.query.get("next"))

    def request_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Have a code sent to the contact; an access token that was entered in its place signs in at once."""
        require_own_page(call)
        form = form_fields(call.raw_body)
        next_path, typed = form.get("next"), form.get("contact", "").strip()
        if typed.startswith(TICKET_TOKEN):
            return self._sign_in_by_token(call, typed, next_path)
        try:
            contact = contacts.likely_contact(typed)
        except InvalidError:
            return self._contact_page(call, next_path, typed=typed, fault="none" if not typed else "invalid")
        by_text = contact.type is ContactType.PHONE
        if not self.outbox.reaches(contact):
            # Whether such a contact is known makes no difference either.
            fault = "country" if by_text and self.outbox.sends_texts else "unreachable"
            return self._contact_page(call, next_path, typed=typed, fault=fault)
        request_id = call.seed.id("access request")
        self.login_codes.request(request_id, contact, page_language(call))
        query = {"request": request_id, **({"by": TEXT} if by_text else {}), **_next(next_path)}
        return see_other(f"/find/code?{urlencode(query)}")

    def ask_for_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        request_id = ids.parse(call.query.get("request", ""))
        if request_id is None:
            return see_other(HOME_OF_HOLDER)
        return self._code_page(call, request_id, call.query.get("next"), by_text=call.query.get("by") == TEXT)

    def enter_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Sign the browser in if the code is right."""
        require_own_page(call)
        form = form_fields(call.raw_body)
        next_path, request_id = form.get("next"), ids.parse(form.get("request", ""))
        if request_id is None:
            return see_other(HOME_OF_HOLDER)
        opening = SessionOpening(call.seed.id("session"), call.seed.secret("session"))
        if self.login_codes.verify(request_id, form.get("code", "").strip(), opening) is None:
            return self._code_page(call, request_id, next_path, by_text=form.get("by") == TEXT, wrong=True)
        return self._signed_in(opening.token, next_path)

    def show_link(self, call: Call) -> Answer[bytes]:
        """Show a button and change nothing, because mail filters follow links."""
        valid = self.login_codes.is_valid_link(call.path_params["token"])
        return self.site.page(call, "sign_in_link.html", 200 if valid else 404, valid=valid)

    def open_link(self, call: Call) -> Answer[bytes] | Answer[None]:
        token = call.path_params["token"]
        if not self.login_codes.is_valid_link(token):
            return self.show_link(call)
        require_own_page(call)
        opening = SessionOpening(call.seed.id("session"), call.seed.secret("session"))
        if self.login_codes.open_link(token, opening) is None:
            return self.show_link(call)
        return self._signed_in(opening.token, None)

    def sign_out(self, call: Call) -> Answer[None]:
        """End the session, and forget the credential in this browser."""
        is_browser = "authorization" not in call.headers
        if is_browser and call.credential and call.credential.startswith(SESSION_TOKEN):
            end_session(call.reads.primary, call.credential)
        if is_browser and call.principal.role is Role.MEMBER:
            self.member_sessions.end([*call.principal.contact_indexes], call.principal.session)
        return see_other("/", session_cookie(None, https=self.site.https))

    def _sign_in_by_token(self, call: Call, token: str, next_path: str | None) -> Answer[bytes] | Answer[None]:
        if ticket_holder(token, call.ticket_rows) is None:
            return self._contact_page(call, next_path, fault="token")
        return self._signed_in(token, next_path)

    def _signed_in(self, credential: str, next_path: str | None) -> Answer[None]:
        return see_other(own_path(next_path, HOME_OF_HOLDER), session_cookie(credential, https=self.site.https))

    def _contact_page(
        self, call: Call, next_path: str | None, *, typed: str = "", fault: str | None = None
    ) -> Answer[bytes]:
        status = 422 if fault else 200
        return self.site.page(
            call,
            "find.html",
            status,
            next=own_path(next_path, ""),
            typed=typed[: contacts.LONGEST],
            fault=fault,
            erased="erased" in call.query,
            texts=self.outbox.sends_texts,
        )

    def _code_page(
        self, call: Call, request_id: UUID, next_path: str | None, *, by_text: bool, wrong: bool = False
    ) -> Answer[bytes]:
        return self.site.page(
            call,
            "find_code.html",
            422 if wrong else 200,
            request_id=request_id,
            next=own_path(next_path, ""),
            by_text=by_text,
            wrong=wrong,
        )

    def _stories(self, call: Call) -> Sequence[Story]:
        def query(cursor: Cursor[TupleRow]) -> list[Row]:
            if call.principal.ticket is not None:
                ticket_ids = [call.principal.ticket]
            else:
                tickets = contact_index.tickets_of(cursor, list(call.principal.contact_indexes), None, MAX_STORIES)
                ticket_ids = [ticket_id for ticket_id, _ in tickets]
            rows = ticket_status.tickets(cursor, ticket_ids)
            return [rows[ticket_id] for ticket_id in ticket_ids if ticket_id in rows]

        personal, language = call.personal_data(), supported_language(page_language(call))
        return [
            Story(
                row["ticket_id"],
                summary.title if (summary := DraftSummary.from_row(row, personal)) else None,
                format_date(row["created_at"], language),
                row["content_status"],
                row["suspended"],
            )
            for row in call.reads.ask(query)
            if not row["erased"]
        ]


def _next(next_path: str | None) -> dict[str, str]:
    path = own_path(next_path, "")
    return {"next": path} if path else {}


def require_own_page(call: Call) -> None:
    """Refuse a form of another site, which could sign a person in to a story that is not their own."""
    if not comes_from_own_page(call.headers):
        raise Problem("forbidden", "This request does not come from a page of this service.")
