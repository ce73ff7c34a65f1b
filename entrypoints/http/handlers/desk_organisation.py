"""Handlers for the page of the organisation and of what its workspace decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.identity.credentials import PUBLIC_WORKSPACE
from adapters.languages import LANGUAGES
from domain.errors import DomainError, InvalidError, NotAnAttachmentError
from domain.organisations import Intake, Organisation, Publishing
from entrypoints.http.bodies import typed_fields, validated
from entrypoints.http.desk import DESK, MANAGERS, Desk, name_own_workspace
from entrypoints.http.handlers.logos import LogoHandlers
from entrypoints.http.handlers.members import WorkspaceHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.http.workspace_bodies import WorkspaceChange

ORGANISATION = f"{DESK}/organisation"
# The fields of the form, by their names in the body of the API.
FIELDS = ("legalName", "address", "registrationNumber", "taxWording", "contact", "privacyPage", "replyTo")
RULES = ("intake", "publishing", "language", "currency")


@dataclass(frozen=True)
class DeskOrganisationHandlers:
    workspaces: WorkspaceHandlers
    logos: LogoHandlers
    desk: Desk

    def show(
        self,
        call: Call,
        form: Mapping[str, str] | None = None,
        error: Exception | None = None,
        faults: Sequence[str] = (),
    ) -> Answer[bytes]:
        assert call.principal.workspace is not None
        view = self.workspaces.view(call.principal.workspace)
        stored = dict(zip(FIELDS, (getattr(view.organisation, name) for name in Organisation.names()), strict=True))
        stored |= {"name": view.name, "intake": view.intake, "publishing": view.publishing}
        stored |= {"language": view.language, "currency": view.currency}
        problem = problem_of(error) if error else None
        return self.desk.page(
            call,
            "organisation.html",
            problem.status if problem else 422 if faults else 200,
            values={name: value or "" for name, value in {**stored, **(form or {})}.items()},
            faults=[fault.pointer.rpartition("/")[2] for fault in problem.errors or ()] if problem else faults,
            refusal=problem.detail if problem and not problem.errors else None,
            logo=f"/api/workspaces/{view.id}/logo" if view.has_logo else None,
            languages=[(language.code, language.name) for language in LANGUAGES.values()],
            is_public=call.principal.workspace == PUBLIC_WORKSPACE,
            intakes=tuple(Intake),
            publishings=tuple(Publishing),
            may_change=call.principal.member_role in MANAGERS,
        )

    def change(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Change the organisation, or the rules of the workspace, whichever form was sent."""
        form = typed_fields(call.raw_body)
        if "intake" in form:
            body: dict[str, object] = {name: form[name] or None for name in RULES if name in form}
        else:
            body = {"organisation": {name: form[name] or None for name in FIELDS if name in form}}
            body |= {"name": form["name"]} if "name" in form else {}
        name_own_workspace(call)
        try:
            self.workspaces.change(call, validated(WorkspaceChange, body))
        except (Problem, DomainError) as error:
            return self.show(call, form, error)
        return see_other(f"{ORGANISATION}?done=saved")

    def choose_logo(self, call: Call) -> Answer[bytes] | Answer[None]:
        name_own_workspace(call)
        try:
            self.logos.choose(call)
        except (InvalidError, NotAnAttachmentError, Problem):
            return self.show(call, faults=["file"])
        return see_other(f"{ORGANISATION}?done=saved")

    def remove_logo(self, call: Call) -> Answer[None]:
        name_own_workspace(call)
        self.logos.remove(call)
        return see_other(f"{ORGANISATION}?done=saved")
