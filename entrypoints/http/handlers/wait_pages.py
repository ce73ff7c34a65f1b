"""Handlers for the page on which a person waits for the draft, and learns what is missing or went wrong."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.identity.recovery_links import RecoveryLinks
from adapters.mail.outbox import Outbox
from domain.commands.approvals import NeedsApproval
from domain.errors import RefusedError
from domain.lifecycle import missing_fields
from domain.values import Contact, ContactType, ContentStatus, Kind, Step
from entrypoints.http.bodies import Empty, ProcessRequest
from entrypoints.http.handlers.publish_page import approval_values
from entrypoints.http.handlers.recordings import RecordingHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.progress import TicketProgress
from projections.model import Row
from projections.ticket_status import draft_of

# Recordings with these faults fail again; every other fault is ours and may pass.
FAULTS_OF_RECORDINGS = frozenset(
    {
        "no_speech",
        "unsupported_language",
        "not_audio",
        "too_long",
        "too_much_sound",
        "transcriber_refused",
        "drafter_refused",
    }
)
_STATES = {
    ContentStatus.DRAFT: "new",
    ContentStatus.RECORDING: "recorded",
    ContentStatus.NEEDS_INFO: "questions",
    ContentStatus.READY: "ready",
    ContentStatus.ERROR: "failed",
}


def state_of(row: Row) -> str:
    """Return what the page shows: new, recorded, working, questions, ready, published or failed."""
    if row["step"]:
        return "working"
    if row["published"] and row["base"] != ContentStatus.ERROR:
        return "published"
    state = _STATES[ContentStatus(row["base"])]
    if state == "new" and row["draft"]["story"]:
        # The story was written by hand.
        return "questions" if missing_fields(Kind(row["kind"]), draft_of(row)) else "ready"
    return state


def first_page(ticket_id: UUID, names: Sequence[str], paths: Collection[str]) -> str:
    """Return the first of these pages of the ticket that there is, or the page on which one waits."""
    addresses = (f"/t/{ticket_id}/{name}" for name in names if f"/t/{{ticket_id}}/{name}" in paths)
    return next(addresses, f"/t/{ticket_id}")


@dataclass(frozen=True)
class WaitPageHandlers:
    recordings: RecordingHandlers
    page_url: Callable[[str], str]
    site: Site
    outbox: Outbox
    recovery_links: RecoveryLinks
    needs_approval: NeedsApproval
    # Whether mails are sent at all.
    sends_mail: bool
    # The paths that this process answers.
    paths: Collection[str]

    def show(self, call: Call) -> Answer[bytes]:
        row, contact, personal = call.ticket, self._contact(call), call.personal_data()
        by_text = contact is not None and contact.type is ContactType.PHONE and self.outbox.reaches(contact)
        by_mail = contact is not None and contact.type is ContactType.EMAIL and self.sends_mail
        progress = TicketProgress.of(row, self.recordings.step_progress)
        return self.site.page(
            call,
            "wait.html",
            name=personal.text_or_none(row["ticket_id"], row["display_name"]),
            state=state_of(row),
            # A page that shows something else than its status says fetches itself anew.
            key=f"{progress.content_status}/{progress.stage}",
            progress=progress.progress,
            steps_done=list(Step).index(Step(row["step"])) if row["step"] else 0,
            recordings=len(row["recordings"]),
            missing=len(missing_fields(Kind(row["kind"]), draft_of(row))),
            fault=row["error"]["code"] if row["error"] else None,
            fault_of_recording=bool(row["error"]) and row["error"]["code"] in FAULTS_OF_RECORDINGS,
            retryable=bool(row["error"]) and row["error"]["retryable"],
            suspended=row["suspended"],
            **approval_values(row, personal, self.needs_approval),
            reading_page=first_page(row["ticket_id"], ("story", "answers"), self.paths),
            public_page=self.page_url(row["slug"]) if row["published"] else None,
            tells="text" if by_text else "mail" if by_mail else None,
            comes_back_by_mail=by_mail,
            comes_back_by_text=by_text,
            has_recovery=not by_mail and self.recovery_links.made_at(row["ticket_id"]) is not None,
        )

    def _contact(self, call: Call) -> Contact | None:
        value = call.personal_data().contact(call.ticket)
        return None if value is None else Contact(ContactType(call.ticket["contact_type"]), value)

    def start(self, call: Call) -> Answer[None]:
        """Start the work on the recording; nothing changes if it has begun already."""
        return self._again(call, lambda: self.recordings.process(call, ProcessRequest()))

    def retry(self, call: Call) -> Answer[None]:
        """Repeat the step that failed; nothing changes if none has."""
        return self._again(call, lambda: self.recordings.retry(call, Empty()))

    def _again(self, call: Call, act: Callable[[], object]) -> Answer[None]:
        try:
            act()
        except (RefusedError, Problem) as error:
            # Somebody pressed twice, or another page did it. The page says how things are now.
            if problem_of(error).name != "conflict":
                raise
        return see_other(f"/t/{call.ticket_id}")
