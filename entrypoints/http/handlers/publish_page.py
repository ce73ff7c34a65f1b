"""Handlers for the page on which a person checks the story, agrees to what is shown, and publishes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from adapters import consent_texts
from domain.commands.approvals import ApprovalCommands, NeedsApproval
from domain.commands.tickets import TicketCommands
from domain.errors import InvalidError, RefusedError, StaleVersionError
from domain.lifecycle import missing_fields
from domain.safety import UndecidedFindings
from domain.values import ConsentScope, Draft, FindingDecision, FindingKind, Kind, OthersDecision
from entrypoints.http.amounts import format_amount
from entrypoints.http.bodies import typed_fields, validated
from entrypoints.http.handlers.consents import LONGEST_NOTE, GivenConsent, given_on_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, page_language, see_other, story_language
from entrypoints.http.problems import Problem
from entrypoints.presentation.personal_data import PersonalData
from entrypoints.presentation.safety import DraftSafety, Safety
from projections.consent_records import shown_scopes
from projections.model import Row

# Findings about people who did not tell the story themselves: somebody must have asked them, or their parents.
ABOUT_OTHERS = frozenset({FindingKind.NAME, FindingKind.MINOR})


@dataclass(frozen=True)
class PublishPageHandlers:
    commands: TicketCommands
    approvals: ApprovalCommands
    safety: DraftSafety
    site: Site
    needs_approval: NeedsApproval

    def show(self, call: Call) -> Answer[bytes]:
        return self._page(call, dict.fromkeys(shown_scopes(call.ticket), "yes"))

    def publish(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Record what the person agreed to and publish with exactly that, or show the page again with its faults.

        Where the workspace approves pages first, that is asked for instead; an approved page is published as it is.
        """
        form = typed_fields(call.raw_body)
        if form.get("do") == "publish":
            return self._publish_approved(call, form)
        publish, done = self.commands.publish_with, "published"
        if self.needs_approval(call.ticket["workspace"]):
            publish, done = self.approvals.request_with, "asked"
        faults = self._faults(call, form)
        if not faults:
            try:
                consent = validated(GivenConsent, self._body(call, form)).consent()
                publish(call.principal.actor, call.ticket_id, consent, self._version_seen(call, form))
            except UndecidedFindings:
                faults = ["findings"]
            except StaleVersionError:
                faults = ["changed"]
            except RefusedError:
                faults = ["refused"]
            except Problem as problem:
                pointers = {error.pointer.removeprefix("/") for error in problem.errors}
                faults = [name for name in ("lookedBy", "note") if name in pointers] or ["changed"]
        return self._page(call, form, faults) if faults else see_other(f"/t/{call.ticket_id}/manage?done={done}")

    def _publish_approved(self, call: Call, form: Mapping[str, str]) -> Answer[bytes] | Answer[None]:
        """Publish the page as it was approved, or show it again if it has changed since."""
        try:
            self.commands.publish(call.principal.actor, call.ticket_id, if_match=self._version_seen(call, form))
        except (RefusedError, StaleVersionError, InvalidError):
            return self._page(call, dict.fromkeys(shown_scopes(call.ticket), "yes"), ["changed"])
        return see_other(f"/t/{call.ticket_id}/manage?done=published")

    def _faults(self, call: Call, form: Mapping[str, str]) -> list[str]:
        row = call.ticket
        if row["suspended"]:
            return ["suspended"]
        faults = ["missing"] if missing_fields(Kind(row["kind"]), self._draft(call)) else []
        faults += [] if form.get(ConsentScope.STORY) else ["story"]
        return faults + self._faults_about_others(call, form)

    def _faults_about_others(self, call: Call, form: Mapping[str, str]) -> list[str]:
        decision = form.get("others")
        if decision not in self._decisions(call):
            return ["others"]
        faults = ["lookedBy"] if decision != OthersDecision.NOBODY and not form.get("lookedBy") else []
        return faults + (["note"] if decision == OthersDecision.AGREED and not form.get("note") else [])

    def _decisions(self, call: Call) -> list[OthersDecision]:
        """Return what may be said about other people: not that there are none, where the story names somebody."""
        return [each for each in OthersDecision if each != OthersDecision.NOBODY or not self._names_others(call)]

    def _body(self, call: Call, form: Mapping[str, str]) -> dict[str, object]:
        """Return the consent as a client of the API would send it."""
        body: dict[str, object] = {
            "scopes": [scope.value for scope in self._offered(call) if form.get(scope)],
            "textVersion": form.get("textVersion", consent_texts.CURRENT),
            "language": form.get("textLanguage", consent_texts.DEFAULT_LANGUAGE),
            **given_on_page(call),
        }
        body["others"] = form["others"]
        details = ("lookedBy", "note") if form["others"] != OthersDecision.NOBODY else ()
        return body | {name: form[name] for name in details if form.get(name)}

    @staticmethod
    def _version_seen(call: Call, form: Mapping[str, str]) -> int | None:
        """Return the version that the person saw, None if the form names none; nobody publishes what changed since."""
        seen = form.get("version")
        if seen is None:
            return None
        if seen != str(call.ticket["version"]):
            raise StaleVersionError("The ticket has changed since you read it.")
        return int(call.ticket["version"])

    def _offered(self, call: Call) -> list[ConsentScope]:
        """Return what the page would show, and what was agreed to before."""
        row = call.ticket
        offered = {ConsentScope.STORY, ConsentScope.NAME} | shown_scopes(row)
        offered |= {ConsentScope.PLACE} if self._draft(call).location else set()
        offered |= {ConsentScope.PHOTO} if row["picture"] else set()
        offered |= {ConsentScope.RECORDING} if row["voice"] else set()
        return [scope for scope in ConsentScope if scope in offered]

    def _draft(self, call: Call) -> Draft:
        return call.personal_data().draft(call.ticket)

    def _findings(self, call: Call) -> Safety | None:
        safety = self.safety.of(call.ticket, call.personal_data())
        return safety if isinstance(safety, Safety) else None

    def _names_others(self, call: Call) -> bool:
        findings = self._findings(call)
        return findings is not None and any(finding.kind in ABOUT_OTHERS for finding in findings.findings)

    def _page(
        self, call: Call, form: Mapping[str, str] = MappingProxyType({}), faults: list[str] | None = None
    ) -> Answer[bytes]:
        row, personal, draft = call.ticket, call.personal_data(), self._draft(call)
        language, findings, picture = page_language(call, story_language(row)), self._findings(call), row["picture"]
        text = consent_texts.consent_text(consent_texts.CURRENT, language)
        return self.site.page(
            call,
            "publish.html",
            422 if faults else 200,
            story_language=story_language(row),
            version=row["version"],
            draft=draft,
            goal=format_amount(draft.goal, language) if draft.goal else None,
            missing=missing_fields(Kind(row["kind"]), draft),
            undecided=findings is not None
            and any(finding.decision is not FindingDecision.KEEP for finding in findings.findings),
            suspended=row["suspended"],
            published=row["published"],
            **approval_values(row, personal, self.needs_approval),
            picture=picture["attachment_id"] if picture else None,
            description=personal.text(row["ticket_id"], picture["description"]) if picture else None,
            voice=row["voice"],
            said=personal.text(row["ticket_id"], row["voice"]["text"]) if row["voice"] else None,
            has_transcript=bool(row["transcriptions"]),
            text=text,
            offered=[(scope, text.scopes[scope]) for scope in self._offered(call)],
            chosen={scope for scope in ConsentScope if form.get(scope)},
            names_others=self._names_others(call),
            decisions=self._decisions(call),
            decided=form.get("others"),
            looked_by=form.get("lookedBy", personal.text_or_none(row["ticket_id"], row["display_name"]) or ""),
            note=form.get("note", ""),
            longest=LONGEST_NOTE,
            faults=faults or [],
        )


def approval_values(row: Row, personal: PersonalData, needs_approval: NeedsApproval) -> dict[str, Any]:
    """Return what a page shows of the approval: whether it is needed, where it stands, and what is to be changed."""
    approval = row["approval"] or {"state": None, "note": None}
    return {
        "needs_approval": needs_approval(row["workspace"]),
        "approval": approval["state"],
        "note_of_staff": personal.text_or_none(row["ticket_id"], approval["note"]),
    }
