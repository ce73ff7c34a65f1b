"""Handlers for the questions about what a draft still lacks: one on each page, and at the end a list of the answers."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from babel.numbers import get_currency_name

from adapters.languages import translations
from adapters.localisation import locale_of
from domain.commands.tickets import TicketCommands
from domain.errors import FaultCode, InvalidError, StaleVersionError
from domain.lifecycle import missing_fields
from domain.tickets import DEFAULT_CURRENCY
from domain.values import CURRENCIES, Draft, FindingDecision, Kind
from entrypoints.http.amounts import MAX_AMOUNT_LENGTH, format_amount, read_amount
from entrypoints.http.bodies import DraftChange, typed_fields, validated
from entrypoints.http.handlers.wait_pages import first_page
from entrypoints.http.operations import Answer, Call
from entrypoints.http.pages import Site, caller_language, see_other, story_language
from entrypoints.http.problems import Problem, problem_of
from entrypoints.presentation.safety import DraftSafety, Safety
from projections.model import Row
from projections.ticket_status import draft_of

# In the order in which they are asked. The place is optional, so it is asked only where a person wants to change it.
QUESTIONS = ("story", "goal", "beneficiary", "title", "location")
OPTIONAL = frozenset({"location"})
# The most characters of each answer.
LONGEST = {"story": 10_000, "beneficiary": 120, "title": 120, "location": 120}
VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
# The currencies that are listed first.
COMMON_CURRENCIES = ("USD", "EUR", "MXN", "GBP", "CAD")


@dataclass(frozen=True)
class QuestionPageHandlers:
    commands: TicketCommands
    safety: DraftSafety
    site: Site
    # The paths that this process answers.
    paths: Collection[str]

    def first(self, call: Call) -> Answer[None]:
        return see_other(_next_page(call.ticket))

    def show(self, call: Call) -> Answer[bytes]:
        if call.path_params["question"] not in QUESTIONS:
            return self.site.not_found(call, "There is no such question.")
        return self._page(call, self._answers(call))

    def answer(self, call: Call) -> Answer[bytes | None]:
        """Write the answer into the draft and show what comes next, or show the question again with its faults."""
        question = call.path_params["question"]
        if question not in QUESTIONS:
            return self.site.not_found(call, "There is no such question.")
        form = typed_fields(call.raw_body)
        try:
            body = validated(DraftChange, self._change(call, question, form))
            self._write(call, body.changes(), form.get("version"))
        except StaleVersionError:
            # What both have written is on the next page, and saving there replaces it knowingly.
            call.ticket = call.current_row()
            return self._page(call, form, status=409)
        except (Problem, InvalidError) as error:
            problem = problem_of(error)
            if problem.name != "invalid":
                raise
            _ = translations(self._language(call)).gettext
            errors = {"amount" if question == "goal" else question: fault_sentence(problem.errors[0].code, question, _)}
            return self._page(call, form, errors, 422)
        if "check" in form:
            return see_other(f"/t/{call.ticket_id}/answers")
        return see_other(_next_page(call.current_row()))

    def _write(self, call: Call, changes: Mapping[str, Any], seen: str | None) -> None:
        """Write the changes, unless somebody else has answered since the version that the form was made of."""
        actor, ticket_id = call.principal.actor, call.ticket_id
        if seen is None:
            self.commands.edit_draft(actor, ticket_id, changes)
        elif VERSION.fullmatch(seen):
            self.commands.answer(actor, ticket_id, changes, int(seen))
        else:
            raise StaleVersionError("This is no version.")

    def answers(self, call: Call) -> Answer[bytes]:
        row, personal = call.ticket, call.personal_data()
        draft, safety = personal.draft(row), self.safety.of(row, personal)
        return self.site.page(
            call,
            "answers.html",
            draft=draft,
            goal=format_amount(draft.goal, self._language(call)) if draft.goal else None,
            missing=missing_fields(Kind(row["kind"]), draft),
            published=row["published"],
            next_page=first_page(row["ticket_id"], ("story", "publish"), self.paths),
            undecided=isinstance(safety, Safety)
            and any(finding.decision is not FindingDecision.KEEP for finding in safety.findings),
        )

    def _change(self, call: Call, question: str, form: Mapping[str, str]) -> dict[str, object]:
        """Return the change of the draft, as a client of the API would send it."""
        if question != "goal":
            return {question: form.get(question, "") or (None if question in OPTIONAL else "")}
        currency = form.get("currency", "")
        if not form.get("amount"):
            raise InvalidError("is required", "/amount", FaultCode.REQUIRED)
        amount = read_amount(form["amount"], currency, self._language(call))
        return {"goalAmount": str(amount.major), "currency": currency}

    def _answers(self, call: Call) -> dict[str, str]:
        """Return what the draft has, as it stands in the form; what it lacks is offered if it can be guessed."""
        row, personal = call.ticket, call.personal_data()
        draft = personal.draft(row)
        name = personal.text_or_none(row["ticket_id"], row["display_name"])
        return {
            "story": draft.story or "",
            "amount": format(draft.goal.major, "f") if draft.goal else "",
            "currency": draft.goal.currency if draft.goal else draft.currency or DEFAULT_CURRENCY,
            "beneficiary": draft.beneficiary or name or "",
            "title": draft.title or _offered_title(row, draft),
            "location": draft.location or "",
        }

    def _page(
        self,
        call: Call,
        answers: Mapping[str, str],
        errors: Mapping[str, str] = MappingProxyType({}),
        status: int = 200,
    ) -> Answer[bytes]:
        row, question, language = call.ticket, call.path_params["question"], self._language(call)
        missing = missing_fields(Kind(row["kind"]), draft_of(row))
        before = QUESTIONS[: QUESTIONS.index(question)]
        checks = "check" in call.query or "check" in answers
        draft = call.personal_data().draft(row)
        goal = format_amount(draft.goal, language) if draft.goal else None
        return self.site.page(
            call,
            "question.html",
            status,
            question=question,
            # After a fault, the answer is still one to what was read first.
            version=answers.get("version", row["version"]) if errors else row["version"],
            answers=answers,
            errors=errors,
            conflict=status == 409,
            theirs=goal if question == "goal" else getattr(draft, question),
            offered=question in missing and not errors and bool(answers.get(question)),
            left=len(missing),
            longest=LONGEST.get(question, MAX_AMOUNT_LENGTH),
            currencies=currency_choices(language) if question == "goal" else (),
            checks=checks,
            back=_back(row, before, checks=checks),
        )

    def _language(self, call: Call) -> str:
        return caller_language(call)


def _next_page(row: Row) -> str:
    """Return the page of the first question that has no answer, or the list of the answers."""
    missing = missing_fields(Kind(row["kind"]), draft_of(row))
    question = next((name for name in QUESTIONS if name in missing), None)
    return f"/t/{row['ticket_id']}/questions/{question}" if question else f"/t/{row['ticket_id']}/answers"


def _back(row: Row, before: tuple[str, ...], *, checks: bool) -> str:
    if checks:
        return f"/t/{row['ticket_id']}/answers"
    return f"/t/{row['ticket_id']}/questions/{before[-1]}" if before else f"/t/{row['ticket_id']}"


def _offered_title(row: Row, draft: Draft) -> str:
    """Return a title in the language of the story that says for whom the page is, or nothing."""
    if not draft.beneficiary:
        return ""
    _ = translations(story_language(row) or "en").gettext
    return (_("Help for %(name)s") % {"name": draft.beneficiary})[: LONGEST["title"]]


def currency_choices(language: str) -> list[tuple[str, str]]:
    """Return each currency with its name in the reader's language, the common ones first."""
    others = sorted(CURRENCIES - {*COMMON_CURRENCIES})
    return [(code, get_currency_name(code, locale=locale_of(language))) for code in (*COMMON_CURRENCIES, *others)]


def fault_sentence(code: FaultCode, question: str, _: Callable[[str], str]) -> str:
    """Return what to do about a fault, in plain words."""
    if question == "goal":
        match code:
            case FaultCode.REQUIRED:
                return _("Write how much money is needed.")
            case FaultCode.AMBIGUOUS:
                return _("We are not sure which amount you mean. Write it with digits only, like 1500.")
            case FaultCode.TOO_MANY_DECIMALS:
                return _("This currency does not have that many decimals. Write a whole number, like 1500.")
            case FaultCode.OUT_OF_RANGE:
                return _("This amount is too small or too large. Please check it.")
            case FaultCode.UNKNOWN_CURRENCY:
                return _("Choose a currency from the list.")
            case _:
                return _("Write the amount in digits, like 1500.")
    match code:
        case FaultCode.BLANK | FaultCode.REQUIRED:
            empty = {
                "story": _("Write what happened."),
                "beneficiary": _("Write who the money is for."),
                "title": _("Write a title for your page."),
            }
            return empty.get(question, _("Please write something here."))
        case FaultCode.TOO_LONG:
            return _("This is too long. Please make it shorter.")
        case FaultCode.SEVERAL_LINES:
            return _("Please write this in one line.")
        case _:
            return _("Please use letters, digits and punctuation only.")
