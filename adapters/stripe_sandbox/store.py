"""The sandbox's tables: Stripe's objects, events, pending deliveries, and answers to idempotency keys."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from adapters.payments.stripe_objects import StripeDict
from adapters.stripe_sandbox.redaction import Redaction, without_personal_data
from adapters.stripe_sandbox.refusal import missing

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

# Marks a session whose people were removed.
PEOPLE_REMOVED = "forgotten"

SCHEMA = Path(__file__).with_name("schema.sql")
# A lock of two numbers cannot collide with the advisory locks of one number that the service takes.
_SCHEMA_LOCK = (0x53414E44, 1)


def ensure_schema(connection: psycopg.Connection[Any]) -> None:
    """Create the sandbox's tables if they do not exist; concurrent calls are safe."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _SCHEMA_LOCK)
        cursor.execute(SCHEMA.read_bytes())


@dataclass(frozen=True)
class DeliveryFaults:
    """Each event is delivered `1 + repeats` times, and in random order if `shuffled`."""

    repeats: int = 0
    shuffled: bool = False


class Store:
    """One transaction on the sandbox's tables."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]], redaction: Redaction) -> None:
        self._cursor = cursor
        self._redaction = redaction

    # Objects. Every one belongs to a checkout session, whose row is the lock for all of them.

    def lock(self, session_id: str) -> None:
        self._cursor.execute("SELECT 1 FROM sandbox.objects WHERE id = %s FOR UPDATE", (session_id,))

    def session_of(self, id: str) -> str | None:
        """Return the id of the checkout session that the object belongs to, or None if the id is unknown."""
        return self._text("SELECT session_id FROM sandbox.objects WHERE id = %s", id)

    def find(self, kind: str, id: str) -> StripeDict | None:
        """Return the object or event of this kind and id, or None."""
        if kind == "event":
            return self._body("SELECT body::text FROM sandbox.events WHERE id = %s", id)
        stripe_object = self.find_any(id)
        return stripe_object if stripe_object and stripe_object["object"] == kind else None

    def get(self, kind: str, id: str) -> StripeDict:
        """Return the object or event of this kind and id; StripeRefusal if there is none."""
        stripe_object = self.find(kind, id)
        if stripe_object is None:
            raise missing(kind, id)
        return stripe_object

    def find_any(self, id: str) -> StripeDict | None:
        """Return the object of this id, or None."""
        return self._body("SELECT body::text FROM sandbox.objects WHERE id = %s", id)

    def hidden(self, id: str) -> StripeDict:
        """Return the values that the sandbox keeps with an object and that Stripe's API does not show."""
        return self._body("SELECT hidden::text FROM sandbox.objects WHERE id = %s", id) or {}

    def hide(self, id: str, hidden: StripeDict) -> None:
        self._cursor.execute("UPDATE sandbox.objects SET hidden = %s WHERE id = %s", (self._to_json(hidden), id))

    def of_session(self, session_id: str, kind: str) -> list[StripeDict]:
        """Return the session's objects of this kind, oldest first."""
        self._cursor.execute(
            "SELECT body::text FROM sandbox.objects WHERE session_id = %s AND kind = %s ORDER BY seq",
            (session_id, kind),
        )
        return [self._read(row[0]) for row in self._cursor]

    def save(self, body: StripeDict, session_id: str) -> None:
        """Insert the object or overwrite it."""
        self._cursor.execute(
            "INSERT INTO sandbox.objects (id, kind, session_id, created, body) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (body["id"], body["object"], session_id, body["created"], self._to_json(body, session_id)),
        )

    def page(
        self,
        kind: str,
        *,
        limit: int,
        starting_after: str | None = None,
        created: dict[str, int] | None = None,
        equal: dict[str, str] | None = None,
    ) -> tuple[list[StripeDict], bool] | None:
        """Return the newest objects of this kind and True if there are more, or None if `starting_after` is unknown."""
        if kind == "event":
            table, where, values = "sandbox.events", ["true"], list[Any]()
        else:
            table, where, values = "sandbox.objects", ["kind = %s"], [kind]
        if starting_after is not None:
            row = self._cursor.execute(
                f"SELECT seq FROM {table} WHERE id = %s AND {where[0]}",  # noqa: S608
                (starting_after, *values),
            ).fetchone()
            if row is None:
                return None
            where.append("seq < %s")
            values.append(row[0])
        for comparison, seconds in (created or {}).items():
            where.append(f"created {_COMPARISONS[comparison]} %s")
            values.append(seconds)
        for name, value in (equal or {}).items():
            where.append("body ->> %s::text = %s")
            values += [name, value]
        self._cursor.execute(
            f"SELECT body::text FROM {table} WHERE {' AND '.join(where)} ORDER BY seq DESC LIMIT %s",  # noqa: S608
            (*values, limit + 1),
        )
        objects = [self._read(row[0]) for row in self._cursor]
        return objects[:limit], len(objects) > limit

    # Planned steps.

    def plan_step(self, id: str, step: str | None, at: float | None = None) -> None:
        """Set the one step that will happen to this object later; None cancels it."""
        self._cursor.execute("UPDATE sandbox.objects SET step = %s, step_at = %s WHERE id = %s", (step, at, id))

    def planned_step(self, id: str) -> str | None:
        return self._text("SELECT step FROM sandbox.objects WHERE id = %s", id)

    def next_step(self, now: float) -> tuple[str, str] | None:
        """Return the object and its step that has been due the longest, or None."""
        row = self._cursor.execute(
            "SELECT id, step FROM sandbox.objects WHERE step IS NOT NULL AND step_at <= %s ORDER BY step_at LIMIT 1",
            (now,),
        ).fetchone()
        return (row[0], row[1]) if row else None

    def something_is_due(self, now: float) -> bool:
        """Return True if a step or a delivery is due."""
        return self._cursor.execute(
            "SELECT EXISTS (SELECT FROM sandbox.objects WHERE step IS NOT NULL AND step_at <= %s)"
            " OR EXISTS (SELECT FROM sandbox.deliveries WHERE delivered_at IS NULL AND due <= clock_timestamp())",
            (now,),
        ).fetchone() == (True,)

    # Events and their deliveries.

    def emit(self, event: StripeDict, session_id: str, after_seconds: float, shuffle_seconds: float) -> None:
        """Store the event and its pending deliveries, in this transaction."""
        self._cursor.execute(
            "INSERT INTO sandbox.events (id, session_id, type, created, body) VALUES (%s, %s, %s, %s, %s)",
            (event["id"], session_id, event["type"], event["created"], self._to_json(event, session_id)),
        )
        delivery_faults = self.delivery_faults()
        for _ in range(1 + delivery_faults.repeats):
            self.add_delivery(event["id"], after_seconds, shuffle_seconds if delivery_faults.shuffled else 0)

    def add_delivery(self, event_id: str, after_seconds: float = 0, shuffle_seconds: float = 0) -> None:
        """Have the event delivered after `after_seconds` plus a random time of up to `shuffle_seconds`."""
        self._cursor.execute(
            "INSERT INTO sandbox.deliveries (event_id, due)"
            " VALUES (%s, clock_timestamp() + make_interval(secs => %s + %s * random()))",
            (event_id, after_seconds, shuffle_seconds),
        )

    def events_of(self, session_id: str) -> list[StripeDict]:
        """Return the session's events in order, each with its deliveries: {event, pending, done, attempts, status}."""
        self._cursor.execute(
            "SELECT e.body::text, count(d.seq) FILTER (WHERE d.delivered_at IS NULL), count(d.delivered_at),"
            " coalesce(max(d.attempts), 0), (array_agg(d.status ORDER BY d.seq DESC))[1]"
            " FROM sandbox.events e LEFT JOIN sandbox.deliveries d ON d.event_id = e.id"
            " WHERE e.session_id = %s GROUP BY e.id, e.seq ORDER BY e.seq",
            (session_id,),
        )
        return [
            {"event": self._read(body), "pending": pending, "done": done, "attempts": attempts, "status": status}
            for body, pending, done, attempts, status in self._cursor
        ]

    def claim(self, lease_seconds: float) -> tuple[int, int, StripeDict] | None:
        """Claim the delivery due the longest until the lease ends; return its number, its attempts and its event."""
        row = self._cursor.execute(
            "UPDATE sandbox.deliveries d SET due = clock_timestamp() + make_interval(secs => %s),"
            " attempts = attempts + 1 FROM sandbox.events e WHERE e.id = d.event_id AND d.seq = ("
            " SELECT seq FROM sandbox.deliveries WHERE delivered_at IS NULL AND due <= clock_timestamp()"
            " ORDER BY due, seq LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING d.seq, d.attempts, e.body::text",
            (lease_seconds,),
        ).fetchone()
        return (row[0], row[1], self._read(row[2])) if row else None

    def mark_delivered(self, delivery: int, status: int) -> None:
        self._cursor.execute(
            "UPDATE sandbox.deliveries SET delivered_at = clock_timestamp(), status = %s WHERE seq = %s",
            (status, delivery),
        )

    def postpone(self, delivery: int, status: int | None, pause_seconds: float) -> None:
        self._cursor.execute(
            "UPDATE sandbox.deliveries SET status = %s, due = clock_timestamp() + make_interval(secs => %s)"
            " WHERE seq = %s",
            (status, pause_seconds, delivery),
        )

    def pending_deliveries(self) -> int:
        """Return the number of deliveries that have not arrived yet."""
        row = self._cursor.execute("SELECT count(*) FROM sandbox.deliveries WHERE delivered_at IS NULL").fetchone()
        return int(row[0]) if row else 0

    def delivery_faults(self) -> DeliveryFaults:
        row = self._cursor.execute("SELECT repeats, shuffled FROM sandbox.habits").fetchone()
        return DeliveryFaults(*row) if row else DeliveryFaults()

    def set_delivery_faults(self, delivery_faults: DeliveryFaults) -> None:
        self._cursor.execute(
            "UPDATE sandbox.habits SET repeats = %s, shuffled = %s", (delivery_faults.repeats, delivery_faults.shuffled)
        )

    # Idempotency keys.

    def reserve(self, key: str, fingerprint: str) -> str | None:
        """Reserve a new key and return None, or return the fingerprint with which the key was first used.

        The call waits while the first request with the key is still running.
        """
        self._cursor.execute(
            "INSERT INTO sandbox.answers (key, fingerprint) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING 1",
            (key, fingerprint),
        )
        if self._cursor.fetchone():
            return None
        return self._text("SELECT fingerprint FROM sandbox.answers WHERE key = %s", key)

    def answer(self, key: str) -> StripeDict:
        """Return the answer that was given to this key."""
        return self._body("SELECT body::text FROM sandbox.answers WHERE key = %s", key) or {}

    def save_answer(self, key: str, body: StripeDict) -> None:
        self._cursor.execute("UPDATE sandbox.answers SET body = %s WHERE key = %s", (self._to_json(body), key))

    # People.

    def remove_people(self, session_id: str) -> None:
        """Remove people from the session, from its objects and events, and from those that will follow."""
        self._cursor.execute(
            "UPDATE sandbox.objects SET hidden = (hidden::jsonb || %s)::json WHERE id = %s",
            (json.dumps({PEOPLE_REMOVED: True}), session_id),
        )
        for table in ("objects", "events"):
            self._cursor.execute(
                f"SELECT id, body::text FROM sandbox.{table} WHERE session_id = %s",  # noqa: S608
                (session_id,),
            )
            for id, body in self._cursor.fetchall():
                self._cursor.execute(
                    f"UPDATE sandbox.{table} SET body = %s WHERE id = %s",  # noqa: S608
                    (json.dumps(without_personal_data(json.loads(body))), id),
                )
        hidden = self.hidden(session_id)
        self.hide(session_id, without_personal_data(hidden))
        self._cursor.execute("DELETE FROM sandbox.answers WHERE body ->> 'id' = %s", (session_id,))

    def sessions_of(self, metadata: dict[str, str]) -> list[str]:
        """Return the ids of the checkout sessions with this metadata."""
        self._cursor.execute(
            "SELECT id FROM sandbox.objects WHERE kind = 'checkout.session' AND (body -> 'metadata')::jsonb @> %s",
            (json.dumps(metadata),),
        )
        return [id for (id,) in self._cursor.fetchall()]

    def _text(self, query: LiteralString, id: str) -> str | None:
        """Return the one value of the row with this id, or None if there is no row."""
        row: tuple[str | None] | None = self._cursor.execute(query, (id,)).fetchone()
        return row[0] if row else None

    def _body(self, query: LiteralString, id: str) -> StripeDict | None:
        body = self._text(query, id)
        return self._read(body) if body else None

    def _read(self, text: str) -> StripeDict:
        return self._redaction.open(json.loads(text))

    def _to_json(self, body: StripeDict, session_id: str | None = None) -> str:
        are_people_removed = session_id is not None and self.hidden(session_id).get(PEOPLE_REMOVED)
        return json.dumps(without_personal_data(body) if are_people_removed else self._redaction.seal(body))


_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
