"""Handlers for the pages that ask, one finding at a time, whether a dangerous text stays in the draft."""

from dataclasses import dataclass
from urllib.parse import urlencode

from domain.commands.tickets import TicketCommands
from domain.errors import InvalidError
from domain.values import Draft, FindingDecision
from entrypoints.http.bodies import FindingDecisions, form_fields, validated
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, own_path, see_other
from entrypoints.http.problems import Problem
from entrypoints.presentation.safety import DraftSafety, Finding, Safety

# How much of the text before and after a finding is shown with it.
CONTEXT_CHARACTERS = 140


@dataclass(frozen=True)
class Passage:
    """A finding between what stands before and after it in the draft."""

    before: str
    text: str
    after: str


@dataclass(frozen=True)
class FindingPageHandlers:
    """The query `next` is the page of ours that comes after the last decision."""

    commands: TicketCommands
    safety: DraftSafety
    site: Site

    def show(self, call: Call) -> Answer[bytes]:
        personal = call.personal_data()
        safety, draft = self.safety.of(call.ticket, personal), personal.draft(call.ticket)
        # The same text has one id, wherever it stands.
        findings = {finding.id: finding for finding in (safety.findings if isinstance(safety, Safety) else ())}
        suggested_title = safety.suggested_title if isinstance(safety, Safety) else None
        undecided = [finding for finding in findings.values() if finding.decision is not FindingDecision.KEEP]
        finding = undecided[0] if undecided else None
        return self.site.page(
            call,
            "finding.html",
            finding=finding,
            passage=_passage(draft, finding) if finding else None,
            suggested_title=suggested_title if finding and finding.field == "title" else None,
            left=len(undecided),
            kept=[finding for finding in findings.values() if finding.decision is FindingDecision.KEEP],
            next_page=_next_page(call, call.query.get("next")),
        )

    def decide(self, call: Call) -> Answer[None]:
        """Record the decision and show the next finding. A finding that is gone from the draft needs none."""
        form = form_fields(call.raw_body)
        decided = {name: form[name] for name in ("id", "decision") if name in form}
        try:
            [made] = validated(FindingDecisions, {"decisions": [decided]}).decisions
            self.commands.decide_findings(call.principal.actor, call.ticket_id, {made.id: made.decision})
        except (Problem, InvalidError) as error:
            if isinstance(error, Problem) and error.name != "invalid":
                raise
        query = urlencode({"next": _next_page(call, form.get("next"))})
        return see_other(f"/t/{call.ticket_id}/findings?{query}")


def _next_page(call: Call, wanted: str | None) -> str:
    return own_path(wanted, f"/t/{call.ticket_id}")


def _passage(draft: Draft, finding: Finding) -> Passage:
    text = draft.breakdown[finding.line] if finding.line is not None else getattr(draft, finding.field) or ""
    start, end = max(0, finding.start - CONTEXT_CHARACTERS), finding.end + CONTEXT_CHARACTERS
    before, after = text[start : finding.start], text[finding.end : end]
    # No word is cut.
    if start:
        before = "… " + before.partition(" ")[2]
    if end < len(text):
        after = after.rpartition(" ")[0] + " …"
    return Passage(before, text[finding.start : finding.end], after)
