"""Coming back without a token: a code to one's contact, and a session for the code."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from adapters.identity import contacts
from adapters.identity.login_codes import session_token
from domain.values import ContactType
from entrypoints.http.bodies import Body, Line
from entrypoints.http.operations import Answer, Call
from entrypoints.http.problems import Problem
from entrypoints.presentation import views


class LoginCodeRequest(Body):
    contact_type: ContactType
    contact_value: Annotated[Line, Field(max_length=320)]


class LoginCodeVerification(Body):
    request_id: UUID
    code: Annotated[Line, Field(max_length=32)]


def request(call: Call) -> Answer:
    """The same answer for every contact: whether it is known is found out later, elsewhere."""
    contact = contacts.normalize_contact(call.body.contact_type, call.body.contact_value)
    request_id = call.seed.id("access request")
    call.service.login_codes.request(request_id, contact)
    return Answer({"requestId": str(request_id)}, 202)


def verify(call: Call) -> Answer:
    secret = call.seed.secret("session")
    given = call.body
    expires_at = call.service.login_codes.verify(given.request_id, given.code, call.seed.id("session"), secret)
    if expires_at is None:
        raise Problem(
            "unauthenticated",
            "This is not the code, or it was used, tried too often or has expired.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Answer({"accessToken": session_token(secret), "expiresAt": views.time(expires_at)})
