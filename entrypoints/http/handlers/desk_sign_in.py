"""Handlers for the pages on which staff sign in, choose a workspace, and look after their own account."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from adapters import contacts, ids
from adapters.identity.login_codes import LoginCodes
from adapters.identity.session_openings import Audience
from domain.errors import InvalidError, NotFoundError
from domain.values import Role
from entrypoints.http.bodies import Empty, form_fields, validated
from entrypoints.http.cookies import session_cookie
from entrypoints.http.desk import DESK, ROLES, Desk
from entrypoints.http.handlers.members import MyChange, SessionChange, SessionHandlers, email_of, member_session
from entrypoints.http.handlers.sign_in_pages import require_own_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import own_path, page_language, see_other
from entrypoints.http.problems import Problem
from entrypoints.presentation.browsers import browser_name

SIGN_IN = f"{DESK}/sign-in"


@dataclass(frozen=True)
class DeskSignInHandlers:
    login_codes: LoginCodes
    sessions: SessionHandlers
    desk: Desk

    def show(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Show the form for the address; somebody who is signed in sees the workspaces to choose from."""
        if call.principal.role is Role.MEMBER:
            return self._workspaces(call)
        return self._form(call, call.query.get("next"))

    def request_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        require_own_page(call)
        form = form_fields(call.raw_body)
        next_path, typed = form.get("next"), form.get("email", "").strip()
        try:
            contact = email_of(typed)
        except InvalidError:
            return self._form(call, next_path, typed=typed, fault="invalid" if typed else "none")
        request_id = call.seed.id("member code request")
        self.login_codes.request(request_id, contact, page_language(call), Audience.MEMBER)
        return see_other(f"{SIGN_IN}/code?{urlencode({'request': request_id, 'next': own_path(next_path, DESK)})}")

    def ask_for_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        request_id = ids.parse(call.query.get("request", ""))
        if request_id is None:
            return see_other(SIGN_IN)
        return self._code_page(call, request_id, call.query.get("next"))

    def enter_code(self, call: Call) -> Answer[bytes] | Answer[None]:
        require_own_page(call)
        form = form_fields(call.raw_body)
        request_id, next_path = ids.parse(form.get("request", "")), form.get("next")
        if request_id is None:
            return see_other(SIGN_IN)
        opening = member_session(call)
        if self.sessions.verify(call, request_id, form.get("code", "").strip(), opening) is None:
            return self._code_page(call, request_id, next_path, wrong=True)
        return self._signed_in(opening.token, next_path)

    def show_link(self, call: Call) -> Answer[bytes]:
        """Show a button and change nothing, because mail filters follow links."""
        valid = self.login_codes.is_valid_link(call.path_params["token"], Audience.MEMBER)
        return self.desk.page(call, "sign_in_link.html", 200 if valid else 404, valid=valid)

    def open_link(self, call: Call) -> Answer[bytes] | Answer[None]:
        token, opening = call.path_params["token"], member_session(call)
        if not self.login_codes.is_valid_link(token, Audience.MEMBER):
            return self.show_link(call)
        require_own_page(call)
        if self.login_codes.open_link(token, opening) is None:
            return self.show_link(call)
        return self._signed_in(opening.token, None)

    def choose(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Work in the chosen workspace, or accept the invitation that is chosen."""
        form = form_fields(call.raw_body)
        try:
            if "invitation" in form:
                call.path_params = {"member_id": form["invitation"]}
                self.sessions.accept(call, Empty())
            else:
                self.sessions.change(call, validated(SessionChange, {"workspace": form.get("workspace", "")}))
        except (NotFoundError, Problem):
            return self._workspaces(call, gone=True)
        return see_other(DESK)

    def account(self, call: Call, *, fault: bool = False, typed: str | None = None) -> Answer[bytes]:
        me = self.sessions.me(call)
        name = typed if typed is not None else (me.member.name if me.member else None) or ""
        return self.desk.page(
            call,
            "account.html",
            422 if fault else 200,
            me=me,
            name=name,
            fault=fault,
            sessions=self.sessions.list_sessions(call).sessions,
            browser_name=browser_name,
            longest=contacts.LONGEST,
        )

    def change_account(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Change the name, or end one session or all."""
        form = form_fields(call.raw_body)
        if "session" in form:
            call.path_params = {"session_id": form["session"]}
            self.sessions.end(call)
            return see_other(f"{DESK}/account")
        if form.get("do") == "end-all":
            self.sessions.end_all(call)
            return see_other(SIGN_IN, session_cookie(None, https=self.desk.site.https))
        try:
            self.sessions.change_me(call, validated(MyChange, {"name": form.get("name", "").strip() or None}))
        except Problem:
            return self.account(call, fault=True, typed=form.get("name", ""))
        return see_other(f"{DESK}/account?done=name")

    def _form(self, call: Call, next_path: str | None, *, typed: str = "", fault: str | None = None) -> Answer[bytes]:
        status = 422 if fault else 200
        return self.desk.page(
            call,
            "sign_in.html",
            status,
            next=own_path(next_path, ""),
            typed=typed[: contacts.LONGEST],
            fault=fault,
            other_account=call.principal.role is not Role.VISITOR,
        )

    def _code_page(self, call: Call, request_id: UUID, next_path: str | None, *, wrong: bool = False) -> Answer[bytes]:
        status = 422 if wrong else 200
        return self.desk.page(
            call, "code.html", status, request_id=request_id, next=own_path(next_path, ""), wrong=wrong
        )

    def _workspaces(self, call: Call, *, gone: bool = False) -> Answer[bytes]:
        return self.desk.page(
            call, "workspaces.html", 404 if gone else 200, me=self.sessions.me(call), roles=ROLES, gone=gone
        )

    def _signed_in(self, credential: str, next_path: str | None) -> Answer[None]:
        return see_other(own_path(next_path, DESK), session_cookie(credential, https=self.desk.site.https))
