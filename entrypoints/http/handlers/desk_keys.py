"""Handlers for the page of a workspace's API keys, which its programs use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.identity.credentials import SCOPES
from domain.errors import DomainError
from entrypoints.http.bodies import form_fields, validated
from entrypoints.http.desk import DESK, Desk, name_of, name_own_workspace, next_page
from entrypoints.http.handlers.keys import KeyHandlers, KeyOrder
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.keys import CreatedKey, KeyView

KEYS = f"{DESK}/keys"


@dataclass(frozen=True)
class DeskKeyHandlers:
    keys: KeyHandlers
    desk: Desk

    def show(
        self,
        call: Call,
        form: Mapping[str, str] | None = None,
        error: Exception | None = None,
        created: CreatedKey | None = None,
    ) -> Answer[bytes]:
        name_own_workspace(call)
        found, now = self.keys.list_keys(call).body, datetime.now(UTC)
        workspace, language = self.desk.workspace(call), page_language(call)
        problem = problem_of(error) if error else None
        return self.desk.page(
            call,
            "keys.html",
            problem.status if problem else 200,
            keys=[
                (key, name_of(key.created_by, workspace, language, masked=call.masked) if key.created_by else None)
                for key in found.keys
            ],
            is_valid=lambda key: _is_valid(key, now),
            scopes=SCOPES,
            form=form or {},
            faults=[fault.pointer.split("/")[1] for fault in problem.errors or ()] if problem else [],
            created=created,
            next_url=next_page(KEYS, found.next_cursor),
        )

    def create(self, call: Call) -> Answer[bytes]:
        """Create a key with the chosen scopes, and show its secret on this page alone."""
        form, day = form_fields(call.raw_body), form_fields(call.raw_body).get("expires", "").strip()
        order = {"scopes": [scope for scope in SCOPES if form.get(scope)]}
        name_own_workspace(call)
        try:
            body = validated(KeyOrder, order | ({"expiresAt": f"{day}T23:59:59Z"} if day else {}))
            created = self.keys.create(call, body).body
        except (Problem, DomainError) as error:
            return self.show(call, form, error)
        return self.show(call, created=created)

    def revoke(self, call: Call) -> Answer[None]:
        name_own_workspace(call)
        self.keys.revoke(call)
        return see_other(f"{KEYS}?done=revoked")


def _is_valid(key: KeyView, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
