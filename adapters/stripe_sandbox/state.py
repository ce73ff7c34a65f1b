"""The sandbox's stored state and its clock, which its API and the acts of people share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg.rows import tuple_row

from adapters.stripe_sandbox.payment import Moment, Payment, PaymentTiming
from adapters.stripe_sandbox.redaction import Redaction
from adapters.stripe_sandbox.refusal import missing
from adapters.stripe_sandbox.store import Connect, Store


@dataclass(frozen=True)
class SandboxState:
    """Opens transactions on the stored state, and payments within them."""

    connect: Connect
    redaction: Redaction
    clock: Callable[[], float]
    timing: PaymentTiming

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """Open a transaction on a connection of its own, whose settings do not matter."""
        with self.connect() as connection, connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            yield Store(cursor, self.redaction)

    def payment(self, store: Store, id: str, idempotency_key: str | None = None) -> Payment:
        """Return the payment that the object of this id belongs to, locked until the transaction ends."""
        session_id = store.session_of(id)
        if session_id is None:
            raise missing("payment", id)
        return Payment(store, session_id, Moment(self.clock(), self.timing, idempotency_key))
