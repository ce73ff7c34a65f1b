"""Handlers for passwordless sign-in: a login code for a contact, and a session for the code."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from adapters import contacts
from adapters.identity.login_codes import LoginCodes
from adapters.identity.session_openings import SessionOpening
from entrypoints.http.bodies import Body, ContactBody, Line
from entrypoints.http.operations import Call
from entrypoints.http.problems import unauthenticated
from entrypoints.presentation.access import LoginCodeRequested, Session
from entrypoints.presentation.responses import utc


class LoginCodeRequest(ContactBody):
    """The contact that a login code is sent to."""


class LoginCodeVerification(Body):
    request_id: UUID
    code: Annotated[Line, Field(max_length=32)]


@dataclass(frozen=True)
class LoginCodeHandlers:
    login_codes: LoginCodes

    def request(self, call: Call, body: LoginCodeRequest) -> LoginCodeRequested:
        """Give the same answer in the same time for every contact; a worker looks up its tickets later."""
        contact = contacts.normalize_contact(body.contact_type, body.contact_value)
        request_id = call.seed.id("access request")
        self.login_codes.request(request_id, contact)
        return LoginCodeRequested(request_id)

    def verify(self, call: Call, body: LoginCodeVerification) -> Session:
        opening = SessionOpening(call.seed.id("session"), call.seed.secret("session"))
        expires_at = self.login_codes.verify(body.request_id, body.code, opening)
        if expires_at is None:
            raise unauthenticated("The code is wrong, was used already, was tried too often or has expired.")
        return Session(opening.token, utc(expires_at))
