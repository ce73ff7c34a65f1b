"""Measures a page of the day's list in a workspace of many tickets, with counts and opened texts."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from statistics import median
from typing import Any, cast
from uuid import UUID, uuid4

from adapters.encryption.field_cipher import FieldCipher, FieldContext
from adapters.encryption.ticket_keys import TicketKeys
from adapters.search.ticket_search import LABELS, WORDS, SearchHashes
from adapters.search.words import stored_parts
from domain.lifecycle import Draft
from entrypoints.composition.service import Service
from entrypoints.presentation.desk import ListedTicket
from entrypoints.presentation.personal_data import PersonalData
from projections import desk
from projections.desk import Filters, Key, Sort
from tests.benchmarks.report import Figure, Report, percentile, processor_milliseconds
from tests.benchmarks.world import migrated, service_on

LARGE, OTHER = "large", "other"
PAGE = 20
START, BETWEEN = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=5)
BARE = (
    "SELECT ticket_id FROM read.desk_tickets WHERE workspace = %s"
    " ORDER BY workspace DESC, created_at DESC, ticket_id DESC LIMIT %s"
)
FIRST_NAMES = (
    *("Ada", "Grace", "Alan", "Maria", "Jose", "Fatima", "Ahmed", "Anna", "Ivan"),
    *("Mei", "Yusuf", "Leila", "Omar", "Elena", "Pedro", "Aisha", "Noor", "Sofia"),
)
SYLLABLES = (
    *("ka", "lo", "mi", "ra", "ste", "ven", "ber", "go", "nez", "ova"),
    *("sen", "hart", "mül", "dja", "ibn", "wal", "tor", "lin", "eva", "cho"),
)
NOUNS = (
    *("roof", "rent", "school", "surgery", "boat", "tools", "wheelchair"),
    *("winter", "journey", "lawyer", "funeral", "garden", "kitchen", "heating"),
)
CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
GRACE = uuid4()


class KnownKeys:
    """The keys of tickets by their ids, without a database."""

    def __init__(self) -> None:
        self.keys: dict[UUID, bytes] = {}

    def get(self, ticket: UUID, *, create: bool = False) -> bytes:
        return self.keys[ticket]


def measure(report: Report, server_url: str, count: int) -> None:
    with migrated(server_url) as url, service_on(url) as service:
        _fill(service, LARGE, count)
        # Tickets of others are in the same tables and indexes.
        _fill(service, OTHER, count // 5)
        service.database.execute("VACUUM ANALYZE ticket_search")
        service.database.execute("ANALYZE")
        listing = Listing(service)
        servers = [pid for (pid,) in service.database.rows(CONNECTIONS)]
        for what, (filters, sort, after) in _kinds(service.aggregates.search.hashes, count).items():
            bare = median(processor_milliseconds(listing.bare, servers))
            spent = processor_milliseconds(listing.walk(filters, sort, after), servers)
            also = f"95th percentile {percentile(spent, 0.95):.1f}, a bare indexed SELECT {bare:.1f}"
            label = f"a page of {PAGE} of {count:,} tickets, processor time: {what} ({also})"
            report.add(Figure(label, median(spent), "ms", 20, at_most=True))


def _kinds(hashes: SearchHashes, count: int) -> dict[str, tuple[Filters, Sort, Key | None]]:
    """Return what is listed, and after which ticket."""
    end = START + count * BETWEEN
    half, late = START + count // 2 * BETWEEN, end - count // 20 * BETWEEN

    def found_by(text: str, **more: Any) -> Filters:
        return Filters(words=hashes.words(LARGE, text), **more)

    urgent, court = [hashes.label(LARGE, "urgent")], [hashes.label(LARGE, "court")]
    first = START + timedelta(days=1)
    return {
        "newest first": (Filters(), Sort.NEWEST, None),
        "newest first, the last pages": (Filters(), Sort.NEWEST, (START + 50 * PAGE * BETWEEN, GRACE)),
        "by due date": (Filters(), Sort.DUE, None),
        "last changed, a frequent status": (Filters(status="READY"), Sort.LAST_CHANGED, None),
        "last changed, a rare status": (Filters(status="ERROR"), Sort.LAST_CHANGED, None),
        "last changed, the older half": (Filters(until=half), Sort.LAST_CHANGED, None),
        "last changed, a status of the latest that changed before": (
            Filters(status="READY", since=late), Sort.LAST_CHANGED, (half, GRACE),
        ),
        "of one assignee": (Filters(assignee=GRACE), Sort.DUE, None),
        "of nobody, longest unchanged": (Filters(unassigned=True, since=half), Sort.FIRST_CHANGED, None),
        "opened within a day": (Filters(since=START, until=first), Sort.LAST_CHANGED, None),
        "a frequent label": (Filters(labels=urgent), Sort.NEWEST, None),
        "a rare label": (Filters(labels=court), Sort.NEWEST, None),
        "a part of a word, in 6 %": (found_by("ann"), Sort.NEWEST, None),
        "a word in every title": (found_by("a"), Sort.NEWEST, None),
        "a word in 20 %": (found_by("winter"), Sort.LAST_CHANGED, None),
        "a word in 20 %, with a status and a period": (
            found_by("winter", status="PAYMENT_RECEIVED", until=half), Sort.DUE, None,
        ),
        "two words, in 3 %": (found_by("winter kitchen"), Sort.NEWEST, None),
        "two words, in 1 %": (found_by("fatima school"), Sort.NEWEST, None),
        "a rare word": (found_by("zebedee"), Sort.NEWEST, None),
        "words of no ticket": (found_by("xylophone quartz"), Sort.NEWEST, None),
        "a frequent word and a rare label": (found_by("winter", labels=court), Sort.NEWEST, None),
        "two words, a frequent label, a status and a period": (
            found_by("winter kitchen", labels=urgent, status="PAYMENT_RECEIVED", since=half), Sort.DUE, None,
        ),
    }  # fmt: skip


class Listing:
    """Reads the list as the handler does: rows and counts, and then the sealed texts with keys of the database."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def walk(self, filters: Filters, sort: Sort, after: Key | None) -> Callable[[], object]:
        """Return a function that reads the next page at each call, and after the last one the first again."""
        pages = self._pages(filters, sort, after)
        return lambda: next(pages)

    def bare(self) -> object:
        with self._service.database.reading() as cursor:
            return cursor.execute(BARE, (LARGE, PAGE)).fetchall()

    def _pages(self, filters: Filters, sort: Sort, first: Key | None) -> Iterator[list[ListedTicket]]:
        after = first
        while True:
            with self._service.database.reading() as cursor:
                rows = desk.page(cursor, LARGE, filters, sort, PAGE + 1, after)
                desk.counts(cursor, LARGE)
                desk.approvals_requested(cursor, LARGE)
            # Without the keys that an earlier page has left in memory.
            cipher = FieldCipher(self._keys())
            cipher.preload_keys([row["ticket_id"] for row in rows[:PAGE]])
            personal = PersonalData(cipher)
            yield [ListedTicket.from_row(row, personal) for row in rows[:PAGE]]
            is_last = len(rows) <= PAGE
            after = first if is_last else (rows[PAGE - 1][sort.column], rows[PAGE - 1]["ticket_id"])

    def _keys(self) -> TicketKeys:
        return TicketKeys(self._service.database, self._service.history.keys._keyring)


def _fill(service: Service, workspace: str, count: int) -> None:
    """Write the rows of the read model, of the search and of the keys, as the events of so many tickets would."""
    chance, keys = random.Random(7), KnownKeys()
    cipher, keyring = FieldCipher(cast("TicketKeys", keys)), service.history.keys._keyring
    hashes = service.aggregates.search.hashes
    statuses = cycle(["DRAFT", "READY", "READY", "PUBLISHED", "PAYMENT_RECEIVED", "NEEDS_INFO", "READY", "DRAFT"])
    made = []
    for number in range(count):
        ticket_id = uuid4()
        keys.keys[ticket_id] = os.urandom(32)
        last_name = "".join(chance.sample(SYLLABLES, 3)).capitalize()
        name = f"{chance.choice(FIRST_NAMES)} {last_name if number % 10_000 else 'Zebedee'}"
        title = f"A {chance.choice(NOUNS)} and a {chance.choice(NOUNS)} for {name} before {chance.choice(NOUNS)}"
        labels = [label for label, share in (("urgent", 0.3), ("court", 0.0005)) if chance.random() < share]
        status = "ERROR" if number % 5_000 == 0 else next(statuses)
        made.append((ticket_id, name, title, labels, status, START + number * BETWEEN))

    @cache
    def hash_of(part: str, text: str) -> int:
        return hashes.of(workspace, part, [text])[0]

    def sealed(ticket_id: UUID, field: str, text: str) -> str:
        return cipher.seal(ticket_id, FieldContext(ticket_id, 1, "ticket_opened", field), text)

    empty = json.dumps(dict.fromkeys(Draft.names()) | {"breakdown": [], "sources": []})
    tables = {
        "ticket_keys (ticket_id, wrapped, wrapped_by)": (
            (id, keyring.seal(keys.keys[id], id.bytes), keyring.current) for id, *_ in made
        ),
        "ticket_search (ticket_id, part, version, pepper, hashes)": (
            (id, part, 1, hashes.current, sorted(hash_of(part, text) for text in texts))
            for id, name, title, labels, *_ in made
            for part, texts in ((WORDS, stored_parts([name, title])), (LABELS, labels))
        ),
    }
    with service.database.connection() as connection, connection.cursor() as cursor:
        connection.execute("SET statement_timeout = 0")
        for table, rows in tables.items():
            with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute(
            "CREATE TEMP TABLE made (id uuid, name text, title text, labels jsonb, status text, at timestamptz)"
        )
        with cursor.copy("COPY made FROM STDIN") as copy:
            for id, name, title, labels, status, at in made:
                sealed_labels = json.dumps([sealed(id, "label", label) for label in labels])
                copy.write_row((id, sealed(id, "name", name), sealed(id, "title", title), sealed_labels, status, at))
        cursor.execute(
            """
            INSERT INTO read.desk_tickets
            SELECT id, %(workspace)s, 'campaign', status, 'READY', NULL, labels,
                   CASE WHEN random() < 0.01 THEN %(grace)s::uuid END,
                   CASE WHEN random() < 0.2 THEN at + interval '30 days' END,
                   false, at, at + random() * interval '90 days', 1 FROM made
            """,
            {"workspace": workspace, "grace": GRACE},
        )
        cursor.execute(
            "INSERT INTO read.desk_counts SELECT %(workspace)s, status, 0, count(*), 1 FROM made GROUP BY status",
            {"workspace": workspace},
        )
        cursor.execute(
            """
            INSERT INTO read.ticket_status (ticket_id, workspace, kind, slug, display_name, draft, suspended)
            SELECT id, %(workspace)s, 'campaign', id::text, name,
                   %(draft)s::jsonb || jsonb_build_object(
                   'title', title, 'goal', '{"minor": 150000, "currency": "USD"}'::jsonb), false FROM made
            """,
            {"workspace": workspace, "draft": empty},
        )
        cursor.execute("DROP TABLE made")
