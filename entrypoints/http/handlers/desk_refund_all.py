"""Handlers for the page on which all gifts of a suspended page are paid back: a preview, and then the progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.languages import translations
from domain.errors import DomainError, NotFoundError
from entrypoints.http.bodies import form_fields, validated
from entrypoints.http.desk import DESK, MANAGERS, REFUNDERS, Desk, ask_for, next_page
from entrypoints.http.handlers.refund_runs import RefundAllOrder, RefundRunHandlers
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import page_language, see_other
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.refund_runs import RefundAllProgress, SkippedGift
from projections import donation_ledger
from projections.donation_ledger import gift_sums
from projections.model import Cursor, Row

# Some payment methods refuse refunds after this time: https://docs.stripe.com/refunds
OLD = timedelta(days=180)


@dataclass(frozen=True)
class DeskRefundAllHandlers:
    runs: RefundRunHandlers
    desk: Desk

    def show(
        self,
        call: Call,
        error: Exception | None = None,
        form: Mapping[str, str] | None = None,
        *,
        wrong_word: bool = False,
    ) -> Answer[bytes]:
        ask_for(call, {})
        progress, old = self._progress(call), datetime.now(UTC) - OLD
        plan = call.reads.ask(lambda rows: self._plan(rows, call.ticket_id, old))
        skipped = call.reads.ask(lambda rows: _skipped(rows, progress.skipped)) if progress else []
        problem = problem_of(error) if error else None
        return self.desk.page(
            call,
            "refund_all.html",
            problem.status if problem else 422 if wrong_word else 200,
            title=call.personal_data().draft(call.ticket).title,
            suspended=call.ticket["suspended"],
            progress=progress,
            all_gifts=progress.gifts if progress else 0,
            skipped=skipped,
            plan=plan,
            may_request=call.principal.member_role in MANAGERS,
            may_see_gift=call.principal.member_role in REFUNDERS,
            word=_word(call),
            wrong_word=wrong_word,
            form=form or {},
            problem=problem,
            next_url=next_page(_path(call), progress.next_cursor if progress else None),
        )

    def request(self, call: Call) -> Answer[bytes] | Answer[None]:
        """Begin to pay all gifts back, if the form has the word that the page names."""
        form = form_fields(call.raw_body)
        wrong_word = form.get("word", "").strip().casefold() not in (_word(call).casefold(), "refund")
        try:
            order = validated(RefundAllOrder, {"reason": form.get("reason", "").strip()})
            if not wrong_word:
                self.runs.request(call, order)
        except (Problem, DomainError) as error:
            return self.show(call, error, form, wrong_word=wrong_word)
        return self.show(call, form=form, wrong_word=True) if wrong_word else see_other(_path(call))

    def _progress(self, call: Call) -> RefundAllProgress | None:
        try:
            return self.runs.show(call).body
        except NotFoundError:
            return None

    def _plan(self, cursor: Cursor, ticket_id: UUID, old: datetime) -> Sequence[Row]:
        currencies = [row["currency"] for row in donation_ledger.totals(cursor, ticket_id)]
        limits = {
            name: most for name in currencies if (most := self.runs.commands.refunds.most_alone(name)) is not None
        }
        return gift_sums.refund_plan(cursor, ticket_id, limits, old)


def _skipped(cursor: Cursor, gifts: Sequence[SkippedGift]) -> list[tuple[SkippedGift, Row]]:
    """Return each gift that was not paid back with its row."""
    return [(gift, row) for gift in gifts if (row := donation_ledger.donation(cursor, gift.donation_id))]


def _path(call: Call) -> str:
    return f"{DESK}/tickets/{call.ticket_id}/refund-all"


def _word(call: Call) -> str:
    """Return the word that confirms the refunds, in the language of the page."""
    # Translators: the word that a person types to confirm.
    _ = translations(page_language(call)).gettext
    return _("refund")
