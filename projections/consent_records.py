"""The consents and withdrawals in a ticket's row, and what they allow to show."""

from collections.abc import Iterator
from datetime import UTC, datetime

from domain import events
from domain.consent import USUAL_SCOPES, Consents
from domain.values import ConsentHow, ConsentScope
from projections.model import RecordedEvent, Row


def consent_records(
    event: events.ConsentGiven | events.ConsentWithdrawn | events.Published, recorded: RecordedEvent
) -> Iterator[Row]:
    """Yield what the event is a record of: consents, withdrawals, or nothing."""
    act: Row = {"actor": str(event.actor), "at": recorded.recorded_at.isoformat()}
    match event:
        case events.ConsentWithdrawn(scopes=scopes):
            yield act | {"withdrawn": list(scopes)}
        case events.Published(scopes=None):
            yield act | {"given": list(USUAL_SCOPES), "how": ConsentHow.TYPED, "published": True}
        case events.Published(scopes=scopes):
            # Publishing without the name is a decision not to show it.
            if refused := [scope for scope in USUAL_SCOPES if scope not in (scopes or ())]:
                yield act | {"withdrawn": refused}
        case events.ConsentGiven(scopes=scopes):
            given = {"given": list(scopes), "how": event.how, "text_version": event.text_version}
            yield (
                act
                | given
                | {"language": event.language, "by": event.by, "note": event.note}
                | {"others": event.others, "looked_by": event.looked_by}
                | {"valid_until": event.valid_until}
            )


def consents_of(row: Row) -> Consents:
    """Return what the person agreed to show, by the records of the row."""
    consents = Consents()
    for record in row["consents"]:
        if "given" in record:
            consents.give(map(ConsentScope, record["given"]), record.get("valid_until"))
        else:
            consents.withdraw(map(ConsentScope, record["withdrawn"]))
    return consents


def shown_scopes(row: Row, now: datetime | None = None) -> frozenset[ConsentScope]:
    """Return what the public page shows: what the person agreed to, and neither took back nor limited to a past time.

    The page shows the photo only if `row["picture"]` names one. It lets people hear `row["voice"]` only if the person
    agreed after it was chosen.
    """
    return consents_of(row).valid(now or datetime.now(UTC))
