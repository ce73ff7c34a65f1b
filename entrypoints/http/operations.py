"""Operations: each row of the table has the path, the access, the body, the answer and the handler of one call.

Routes, access checks and the OpenAPI document are made from the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from types import FunctionType
from typing import Any, BinaryIO, Generic
from uuid import UUID

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from typing_extensions import TypeVar

from adapters.identity.credentials import VISITOR, Principal
from adapters.identity.idempotency import RequestSeed
from adapters.read_models.read_your_writes import TicketQuery, TicketRows
from adapters.read_models.reads import Reads
from domain.values import Role
from projections import ticket_status
from projections.model import Row

Body = TypeVar("Body", covariant=True, default=object)


class Takes(Enum):
    """The kind of body that a request carries."""

    NOTHING = "nothing"
    JSON = "json"
    MERGE_PATCH = "merge patch"
    AUDIO = "multipart with one recording"
    FORM = "form"
    SIGNED = "a signed event"


class Limit(Enum):
    """Which of the limits on one client's calls an operation counts for."""

    DEFAULT = "default"
    PAYMENT = "payment"
    CREATE = "create"
    CODE = "code"
    NONE = "none"


EVERYBODY = frozenset(Role) - {Role.STRIPE, Role.SYSTEM}


@dataclass(frozen=True)
class Access:
    """Who may call: the roles, and the scope that an API client needs.

    With `ticket` the path names a ticket that the caller must have access to. With `published` every caller has access
    to a published ticket. With `diagnostics` the ADMIN_DIAGNOSTICS_TOKEN is accepted too. With `metrics` only the
    METRICS_TOKEN is accepted.
    """

    roles: frozenset[Role]
    scope: str | None = None
    ticket: bool = False
    published: bool = False
    ignores_credentials: bool = False
    diagnostics: bool = False
    metrics: bool = False

    @property
    def open(self) -> bool:
        return Role.VISITOR in self.roles


NO_BODY_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Received:
    """A received recording: complete and hashed, not yet inspected."""

    file: BinaryIO
    sha256: str
    size_bytes: int
    file_name: str | None


@dataclass
class Call:
    """One request to an operation; the middleware fills in who calls, the ticket and the body."""

    operation: Operation
    request_id: str
    client: str
    url_path: str
    path: Mapping[str, str]
    query: QueryParams
    headers: Mapping[str, str]
    # For rows that the answer shows, also from the replica.
    reads: Reads
    # For the access decision and read-your-writes, always from the primary.
    ticket_rows: TicketRows
    # The bearer credential of the request; None if the request has none or the operation ignores it.
    credential: str | None = None
    principal: Principal = VISITOR
    ticket: Row | None = None
    body: Any = None
    raw: bytes = b""
    body_digest: str = NO_BODY_DIGEST
    upload: Received | None = None
    # The ticket that the answer is about; a handler sets it where the path does not name the ticket.
    about_ticket: UUID | None = None

    @cached_property
    def seed(self) -> RequestSeed:
        """Makes the ids and secrets of the request; a repeated request gets the seed of the first."""
        return RequestSeed.new()

    def query_all(self, name: str) -> list[str]:
        """Every value of a parameter that may be given more than once."""
        return self.query.getlist(name)

    @property
    def about(self) -> UUID | None:
        """The ticket with which a stored answer is erased."""
        return self.about_ticket or (self.ticket["ticket_id"] if self.ticket is not None else None)

    @property
    def ticket_id(self) -> UUID:
        """The id of the path's ticket, which the caller may know of."""
        ticket: UUID = self.path_ticket["ticket_id"]
        return ticket

    @property
    def path_ticket(self) -> Row:
        """The row of the path's ticket, which the caller may know of."""
        assert self.ticket is not None
        return self.ticket

    @property
    def masked(self) -> bool:
        """Auditors see everything except personal data."""
        return self.principal.role is Role.AUDITOR


@dataclass
class Answer(Generic[Body]):
    """A response. Its body is sent as it is if it is bytes or a stream of them, and as JSON otherwise."""

    body: Body
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class Stream:
    """A body that is sent a part at a time."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


class JsonStream(Stream, Generic[Body]):
    """A stream whose parts together are the JSON of the type."""


# The table names unbound methods of handler classes; `bind` replaces them by methods of the instances that hold the
# collaborators. A handler returns its body, or an Answer where it also sets the status or headers. Handlers run in a
# thread. Two kinds run on the event loop: the webhook, because many arrive at once, and health checks, which must
# answer when no thread is free.
Handler = Callable[..., object]


@dataclass(frozen=True)
class Parameter:
    """A query parameter in the OpenAPI document; the handler checks its value."""

    name: str
    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    `also` has further answers: the media type for each status. A `monitoring` operation (health, metrics) runs on the
    event loop without credentials and rate limits, and every process with a port serves it. One that `revalidates`
    answers 304 to a matching If-None-Match. A `hidden` one is not in the OpenAPI document.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    access: Access
    takes: Takes = Takes.NOTHING
    body: type[BaseModel] | None = None
    status: int = 200
    gives_types: tuple[str, ...] = ("application/json",)
    query: tuple[Parameter, ...] = ()
    creates: bool = False
    tag: str = "Tickets"
    limit: Limit = Limit.DEFAULT
    hidden: bool = False

    also: Mapping[int, str] = field(default_factory=dict)
    monitoring: bool = False
    revalidates: bool = False
    # Reads the path's ticket, once, for the access check and for the handler.
    ticket_query: TicketQuery = ticket_status.ticket

    def answer(self, call: Call) -> Answer:
        """Return the handler's answer, in the caller's thread."""
        return self._answer(self._handle(call))

    async def answer_on_loop(self, call: Call) -> Answer:
        """Return the answer of a handler that runs on the event loop."""
        result = self._handle(call)
        assert isinstance(result, Awaitable)
        return self._answer(await result)

    def _handle(self, call: Call) -> object:
        return self.handler(call) if self.body is None else self.handler(call, call.body)

    def _answer(self, result: object) -> Answer:
        return result if isinstance(result, Answer) else Answer(result, self.status)


def bind(operations: Iterable[Operation], handlers: Iterable[object]) -> list[Operation]:
    """Return the operations, each with its handler bound to the instance whose class defines it."""
    methods: dict[Any, Any] = {
        function: function.__get__(instance)
        for instance in handlers
        for function in vars(type(instance)).values()
        if isinstance(function, FunctionType)
    }
    return [replace(operation, handler=methods.get(operation.handler, operation.handler)) for operation in operations]
