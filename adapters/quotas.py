"""Daily quotas: how much a ticket, a visitor's address and a workspace may store, and how much audio they process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from math import ceil
from uuid import UUID

from adapters.clock import utc_now
from adapters.disk import FreeSpace
from adapters.encryption.keyed_hashes import KeyedHashes
from adapters.postgres.database import Database
from domain.errors import DomainError, UnavailableError
from domain.ports import Clock

MIB = 1024 * 1024

_PART = re.compile(r"([0-9]{1,9}) (recordings|documents|MB|minutes)")


class OwnerKind(StrEnum):
    TICKET = "ticket"
    ADDRESS = "address"
    WORKSPACE = "workspace"


@dataclass(frozen=True)
class Use:
    """The use of a request, or the use of a quota in a day."""

    recordings: int = 0
    documents: int = 0
    bytes: int = 0
    audio_seconds: int = 0


@dataclass(frozen=True)
class Quota:
    """The largest use of a day; None means any."""

    recordings: int | None = None
    documents: int | None = None
    bytes: int | None = None
    audio_seconds: int | None = None

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Return the quota of a text like `20 recordings, 50 documents, 200 MB, 120 minutes`; a part may be absent."""
        limits: dict[str, int] = {}
        for part in filter(None, map(str.strip, text.split(","))):
            match = _PART.fullmatch(part)
            if match is None or match[2] in limits:
                raise ValueError("must be like 20 recordings, 50 documents, 200 MB, 120 minutes")
            limits[match[2]] = int(match[1])
        mb, minutes = limits.get("MB"), limits.get("minutes")
        return cls(
            limits.get("recordings"),
            limits.get("documents"),
            None if mb is None else mb * MIB,
            None if minutes is None else minutes * 60,
        )

    def allows(self, use: Use, total: Use) -> bool:
        """Return True if the total is within the limits of those amounts that the request uses."""
        limits = {name: limit for name, limit in vars(self).items() if limit is not None and getattr(use, name)}
        return all(getattr(total, name) <= limit for name, limit in limits.items())


@dataclass(frozen=True)
class Owners:
    """Whose quotas a request uses. `address` is that of a visitor or a holder; requests with an API key have none."""

    ticket_id: UUID
    workspace: str
    address: str | None


@dataclass(frozen=True)
class QuotaStatus:
    """A quota that does not allow a request, what was used of it without the request, and when its day ends."""

    owner: OwnerKind
    used: Use
    quota: Quota
    ends_at: datetime


@dataclass(frozen=True)
class Reservation:
    """The counts of a day, under the names of their owners."""

    day: date
    owners: tuple[str, ...]
    use: Use


class QuotaExceeded(DomainError):
    """The request is more than is left of a quota."""

    def __init__(self, status: QuotaStatus) -> None:
        super().__init__(_sentence(status))
        self.status = status


# Requests that use the same rows lock them in the same order.
_ADD = """
INSERT INTO quota_use AS present (day, owner, recordings, documents, bytes, audio_seconds)
SELECT %(day)s, owner, %(recordings)s, %(documents)s, %(bytes)s, %(audio_seconds)s
  FROM unnest(%(owners)s::text[]) AS owner ORDER BY owner
ON CONFLICT (day, owner) DO UPDATE SET
    recordings = present.recordings + EXCLUDED.recordings,
    documents = present.documents + EXCLUDED.documents,
    bytes = present.bytes + EXCLUDED.bytes,
    audio_seconds = present.audio_seconds + EXCLUDED.audio_seconds
RETURNING owner, recordings, documents, bytes, audio_seconds
"""
_PURGE = "DELETE FROM quota_use WHERE day < %s"


@dataclass(eq=False)
class Quotas:
    """Counts what is used in each day of UTC, for all processes together; `addresses` hashes those of visitors."""

    database: Database
    addresses: KeyedHashes
    quotas: Mapping[OwnerKind, Quota]
    free_space: FreeSpace
    now: Clock = utc_now
    on_exceeded: Callable[[Owners, OwnerKind], None] | None = None

    @contextmanager
    def reserved(self, owners: Owners, use: Use) -> Iterator[None]:
        """Count the use while the block stores something. If the block fails, nothing was used.

        Raise QuotaExceeded, or FullError if there is too little free space.
        """
        with self.held(owners, use):
            yield

    @contextmanager
    def held(self, owners: Owners, use: Use) -> Iterator[Reservation]:
        """Count the use like `reserved`, and yield what was counted, which can be given back after the block."""
        with (
            self.free_space.reserved(use.bytes) if use.bytes else nullcontext(),
            self._counted(owners, use) as counted,
        ):
            yield counted

    def give_back(self, reservation: Reservation) -> None:
        """Count a use no longer. Of a day that is over, nothing is left to give back."""
        if reservation.day == self.now().date():
            self._add(reservation.day, reservation.owners, _difference(Use(), reservation.use))

    def take_again(self, reservation: Reservation) -> None:
        """Count a use that was given back too early, also beyond the quotas."""
        if reservation.day == self.now().date():
            self._add(reservation.day, reservation.owners, reservation.use)

    def _add(self, day: date, owners: Sequence[str], use: Use) -> None:
        self.database.execute(_ADD, self._values(day, owners, use))

    @contextmanager
    def _counted(self, owners: Owners, use: Use) -> Iterator[Reservation]:
        day, kinds = self.now().date(), self._kinds(owners)
        try:
            self._count(day, kinds, use)
        except QuotaExceeded as error:
            if self.on_exceeded is not None:
                self.on_exceeded(owners, error.status.owner)
            raise
        try:
            yield Reservation(day, tuple(kinds), use)
        except BaseException:
            # If this fails too, a little more counts as used until the day ends.
            with suppress(UnavailableError):
                self._add(day, tuple(kinds), _difference(Use(), use))
            raise

    def _count(self, day: date, kinds: Mapping[str, OwnerKind], use: Use) -> None:
        with self.database.transaction() as cursor:
            cursor.execute(_ADD, self._values(day, kinds, use))
            totals = {owner: Use(*counts) for owner, *counts in cursor.fetchall()}
            for owner, kind in kinds.items():
                if not self.quotas[kind].allows(use, totals[owner]):
                    raise QuotaExceeded(
                        QuotaStatus(kind, _difference(totals[owner], use), self.quotas[kind], _end_of(day))
                    )

    def name_of_address(self, owners: Owners) -> str | None:
        """Return a name of the address that does not reveal it, or None if there is no address."""
        return None if owners.address is None else f"address:{self.addresses.of(owners.address)}"

    def purge(self) -> None:
        """Delete what was used before yesterday."""
        self.database.execute(_PURGE, (self.now().date() - timedelta(days=1),))

    def _kinds(self, owners: Owners) -> dict[str, OwnerKind]:
        """Return the kind of each owner by its name in the table."""
        kinds = {
            f"ticket:{owners.ticket_id}": OwnerKind.TICKET,
            f"workspace:{owners.workspace}": OwnerKind.WORKSPACE,
        }
        if address := self.name_of_address(owners):
            kinds[address] = OwnerKind.ADDRESS
        return kinds

    def _values(self, day: date, owners: Iterable[str], use: Use) -> dict[str, object]:
        return {"day": day, "owners": list(owners), **asdict(use)}


def _difference(total: Use, part: Use) -> Use:
    return Use(*(a - b for a, b in zip(vars(total).values(), vars(part).values(), strict=True)))


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


_OWNERS = {
    OwnerKind.TICKET: "This ticket",
    OwnerKind.ADDRESS: "Your address",
    OwnerKind.WORKSPACE: "This workspace",
}


def _sentence(status: QuotaStatus) -> str:
    used, quota = status.used, status.quota
    parts = (
        (used.recordings, quota.recordings, "recordings"),
        (used.documents, quota.documents, "documents"),
        (ceil(used.bytes / MIB), quota.bytes and quota.bytes // MIB, "MB"),
        (ceil(used.audio_seconds / 60), quota.audio_seconds and quota.audio_seconds // 60, "minutes of audio"),
    )
    shares = ", ".join(f"{count} of {limit} {name}" for count, limit, name in parts if limit is not None)
    return f"{_OWNERS[status.owner]} has used {shares} today. The day ends at {status.ends_at:%Y-%m-%dT%H:%M:%SZ}."
