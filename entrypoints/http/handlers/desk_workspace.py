"""Handlers for the pages on which a workspace says how long it keeps things, and is closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters import uploads
from adapters.identity import idempotency, login_codes
from adapters.mail import dead_mails
from adapters.read_models.closing import REFUNDABLE_FOR
from domain.commands.retention import NOTICE_PERIOD
from domain.errors import DomainError
from domain.organisations import LONGEST_RETENTION_DAYS, PUBLIC_WORKSPACE
from entrypoints.http.bodies import Empty, form_fields, validated
from entrypoints.http.desk import DESK, MANAGERS, Desk, name_own_workspace, next_page
from entrypoints.http.handlers.members import WorkspaceHandlers
from entrypoints.http.handlers.workspace_ends import WorkspaceEndHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.http.workspace_bodies import WorkspaceChange

RETENTION = f"{DESK}/retention"
CLOSE = f"{DESK}/close"
PERIODS = ("ticketDays", "donorDays")


@dataclass(frozen=True)
class FixedPeriods:
    """The periods of the installation that no workspace changes, as its pages show them."""

    address_days: int
    webhook_days: int
    epoch_hours: float
    unsent_mail_days: int = dead_mails.KEPT_DAYS
    upload_hours: int = uploads.KEPT // timedelta(hours=1)
    login_code_hours: int = login_codes.KEPT_HOURS
    repeated_request_hours: int = idempotency.KEPT_HOURS


@dataclass(frozen=True)
class DeskRetentionHandlers:
    workspaces: WorkspaceHandlers
    ends: WorkspaceEndHandlers
    fixed: FixedPeriods
    desk: Desk

    def show(self, call: Call, form: Mapping[str, str] | None = None, error: Exception | None = None) -> Answer[bytes]:
        name = name_own_workspace(call)
        periods = self.workspaces.view(name).retention
        stored = {"ticketDays": periods.ticket_days, "donorDays": periods.donor_days}
        due, answer = self.ends.due_erasures(call)
        problem = problem_of(error) if error else None
        return self.desk.page(
            call,
            "retention.html",
            problem.status if problem else 200,
            periods=periods,
            values={name: "" if value is None else value for name, value in {**stored, **(form or {})}.items()},
            faults=[fault.pointer.rpartition("/")[2] for fault in problem.errors or ()] if problem else [],
            most=LONGEST_RETENTION_DAYS,
            notice_days=NOTICE_PERIOD.days,
            fixed=self.fixed,
            due=due,
            shows_titles=not call.masked,
            may_change=call.principal.member_role in MANAGERS,
            next_url=next_page(RETENTION, answer.body.next_cursor),
        )

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Change both periods; an empty field removes one."""
        form = {name: text.strip() for name, text in form_fields(call.raw_body).items() if name in PERIODS}
        name_own_workspace(call)
        try:
            periods = {name: _number(text) for name, text in form.items()}
            self.workspaces.change(call, validated(WorkspaceChange, {"retention": periods}))
        except (Problem, DomainError) as error:
            return self.show(call, form, error)
        return see_other(f"{RETENTION}?done=saved")


@dataclass(frozen=True)
class DeskCloseHandlers:
    workspaces: WorkspaceHandlers
    ends: WorkspaceEndHandlers
    desk: Desk

    def show(self, call: Call, typed: str | None = None, error: DomainError | None = None) -> Answer[bytes]:
        name = name_own_workspace(call)
        view = self.workspaces.view(name)
        problem = problem_of(error) if error else None
        status = problem.status if problem else 200 if typed is None else 422
        return self.desk.page(
            call,
            "close.html",
            status,
            name=view.name,
            id=name,
            closed=view.closed is True,
            built_in=name == PUBLIC_WORKSPACE,
            preview=self.ends.preview_closing(call),
            refundable_days=REFUNDABLE_FOR.days,
            typed=typed or "",
            wrong=typed is not None and problem is None,
            refusal=problem.detail if problem else None,
        )

    def close(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Close the workspace if its name was typed as it is."""
        name = name_own_workspace(call)
        typed = form_fields(call.raw_body).get("name", "").strip()
        if typed != self.workspaces.view(name).name:
            return self.show(call, typed)
        try:
            self.workspaces.close(call, Empty())
        except DomainError as error:
            return self.show(call, typed, error)
        return see_other(f"{CLOSE}?done=closed")


def _number(text: str) -> object:
    """Return the number of days, None for an empty field, or a text that is not a number, which is then refused."""
    if not text:
        return None
    return int(text[:9]) if text.isascii() and text.isdigit() else text
