"""Operations: each is a row of the table, with its method, path, access, body, answer and handler.

Routes, access checks and the OpenAPI document are made from the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from types import FunctionType
from typing import Any, BinaryIO, ClassVar, Generic
from uuid import UUID

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from typing_extensions import TypeVar

from adapters.encryption.field_cipher import FieldCipher
from adapters.identity.credentials import VISITOR, Principal
from adapters.identity.idempotency import RequestSeed
from adapters.read_models.read_your_writes import ReadYourWrites, TicketQuery, TicketRows
from adapters.read_models.reads import Reads
from domain.errors import NotFoundError
from domain.members import MemberRole
from domain.values import Role
from entrypoints.presentation.personal_data import PersonalData
from projections import ticket_status
from projections.model import Row

T_co = TypeVar("T_co", covariant=True, default=object)


class BodyKind(Enum):
    """The kind of body that a request carries."""

    NONE = "none"
    JSON = "json"
    # The handler gets the model of JSON, or None and reads the form.
    JSON_OR_FORM = "json, or the form of a page"
    MERGE_PATCH = "merge patch"
    AUDIO = "multipart with one recording"
    # A POST may also have no body.
    PART = "bytes of an upload"
    ATTACHMENT = "multipart with one photo or PDF"
    FORM = "form"
    LONG_FORM = "form with a long text"
    # A file or a text, of up to some megabytes, that the handler only looks at.
    PROOF = "form with a proof"
    WEBHOOK = "webhook event with a signature"


class RateLimit(Enum):
    """The rate limit that the calls of an operation count against."""

    DEFAULT = "default"
    PAYMENT = "payment"
    CREATE = "create"
    REPORT = "report"
    LOGIN_CODE = "code"
    # The requests of uploads in parts, of which one recording needs many.
    UPLOAD = "upload"
    # Checks of proofs and archives of tickets, each of which takes up to seconds of a processor.
    CHECK = "check"
    # Requests for campaigns that this process did not find public before.
    CAMPAIGN = "campaign"
    # Views of one campaign's page, and donations through it. They are counted for each campaign and address, because
    # many people may share an address.
    PAGE = "page"
    GIFT = "gift"
    # The images that such a page loads, counted in the same way, so that a view of the page counts once.
    IMAGE = "image"
    NONE = "none"


# The limits that an API key may have of its own.
LIMITS_OF_KEYS = (RateLimit.DEFAULT.value, RateLimit.PAYMENT.value, RateLimit.CREATE.value)

# Events may be caused by Stripe or the system, but neither is ever the principal of a call. Members have their own set.
EVERYBODY = frozenset(Role) - {Role.STRIPE, Role.SYSTEM, Role.MEMBER}
# None is a session whose address is a member of no workspace: it is only invited, or the membership has ended.
EVERY_MEMBER: frozenset[MemberRole | None] = frozenset({*MemberRole, None})
# The scopes of what accountants see in full.
_MONEY_SCOPES = frozenset({"donations:read", "exports:read"})


@dataclass(frozen=True)
class Access:
    """Who may call: the roles, the roles of members in their workspace, and the scope that an API client needs.

    With `names_ticket` the path names a ticket that the caller must have access to. With `open_if_published` every
    caller has access to a published ticket. With `ignores_credentials` the Authorization header is not read. With
    `diagnostics_token` the ADMIN_DIAGNOSTICS_TOKEN is accepted too. With `metrics_token` only the METRICS_TOKEN is
    accepted, and the handler checks it. With `opens_tickets` the intake says who may call. With
    `ticket_in_metadata` the header Upload-Metadata names the ticket, not the path. With `names_workspace` the path
    names a workspace, which is the caller's own unless the caller administers or audits them all.
    """

    roles: frozenset[Role]
    scope: str | None = None
    members: frozenset[MemberRole | None] = frozenset()
    names_ticket: bool = False
    open_if_published: bool = False
    ignores_credentials: bool = False
    diagnostics_token: bool = False
    metrics_token: bool = False
    opens_tickets: bool = False
    ticket_in_metadata: bool = False
    names_workspace: bool = False

    @property
    def is_open(self) -> bool:
        return Role.VISITOR in self.roles


EMPTY_BODY_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class ReceivedFile:
    """An uploaded file: complete and hashed, not yet inspected. `close` deletes it and frees its space.

    `fields` has the short texts of the form that it came with. A form in which no file was chosen has an empty one.
    """

    file: BinaryIO
    sha256: str
    size_bytes: int
    file_name: str | None
    close: Callable[[], None]
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """One request to an operation; the middleware sets the principal, the ticket and the body."""

    operation: Operation
    # The id under which the request is logged, which is not always the X-Request-Id.
    logged_id: str
    client_address: str
    url_path: str
    path_params: Mapping[str, str]
    query: QueryParams
    headers: Mapping[str, str]
    # Reads what the answer shows, from the replica if possible.
    reads: Reads
    # Decrypts personal data.
    cipher: FieldCipher
    # Reads tickets from the primary, with the writes of this call.
    ticket_reader: ReadYourWrites
    # Takes the id of a workspace.
    workspace_exists: Callable[[str], bool]
    # The headers that the response gets, whether it is an answer or a problem.
    response_headers: dict[str, str]
    # Reads tickets for the access check and for read-your-writes, always from the primary.
    ticket_rows: TicketRows
    # The bearer credential; it is None if the request has no credential or the operation ignores it.
    credential: str | None = None
    principal: Principal = VISITOR
    # The row of the path's ticket, which the caller has access to; set if the path names a ticket.
    ticket: Row = field(init=False, repr=False)
    body: Any = None
    raw_body: bytes = b""
    body_digest: str = EMPTY_BODY_DIGEST
    upload: ReceivedFile | None = None
    # The ticket that the answer is about; erasing it also erases the stored answer.
    answer_ticket_id: UUID | None = None
    # The workspace that the call turned out to concern, where neither the path nor the caller names it.
    workspace: str | None = None

    @cached_property
    def seed(self) -> RequestSeed:
        """The source of the request's ids and secrets; `Idempotency` gives a repeated request the seed of the first."""
        return RequestSeed.new()

    @property
    def ticket_id(self) -> UUID:
        ticket_id: UUID = self.ticket["ticket_id"]
        return ticket_id

    def current_row(self) -> Row:
        """Return the row of the path's ticket with the writes of this request; NotFoundError if there is none."""
        row = self.ticket_reader.ticket(self.ticket_id)
        if row is None:
            raise NotFoundError("There is no such ticket.")
        return row

    @property
    def is_staff(self) -> bool:
        """Whether what the staff note for themselves may be shown."""
        return self.principal.role in (Role.ADMIN, Role.AUDITOR, Role.MEMBER)

    @property
    def masked(self) -> bool:
        """Auditors see everything except personal data, and accountants see only that of donors."""
        match self.principal.member_role:
            case MemberRole.ACCOUNTANT:
                return self.operation.access.scope not in _MONEY_SCOPES
            case MemberRole.AUDITOR:
                return True
            case _:
                return self.principal.role is Role.AUDITOR

    def personal_data(self) -> PersonalData:
        """Return a reader of personal data for the caller."""
        return PersonalData(self.cipher, masked=self.masked)


@dataclass
class Answer(Generic[T_co]):
    """A response. Bytes, a Stream and an EventStream are sent unchanged, any other body is sent as JSON."""

    body: T_co
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


class Stream:
    """A body that is sent a part at a time."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


class JsonStream(Stream, Generic[T_co]):
    """A stream whose parts together are the JSON of a value of the type `T_co`."""


@dataclass(frozen=True)
class EventStream:
    """A body of server-sent events, which the event loop sends until the reader or the service ends it.

    `open` is called on the event loop; it may raise a Problem. It gets a function that raises a Problem once the caller
    may no longer see what the stream is about.
    """

    MEDIA_TYPE: ClassVar[str] = "text/event-stream"

    open: Callable[[Callable[[], object]], AbstractContextManager[AsyncIterator[bytes]]]


# The table names functions, or unbound methods of handler classes, which `bind` replaces with methods of the instances
# that hold the collaborators. A handler returns the response body, or an Answer if it also sets the status or headers.
# Handlers run in a thread, except two kinds, which run on the event loop: webhooks, because many arrive at once, and
# health checks and metrics, because they must answer when no thread is free.
Handler = Callable[..., object]


@dataclass(frozen=True)
class Parameter:
    """A query parameter in the OpenAPI document; the handler checks its value."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


def choice_schema(choices: Sequence[str]) -> dict[str, Any]:
    """Return the schema of a parameter that is read with `choice_parameter`."""
    return {"type": "string", "enum": list(choices), "default": choices[0]}


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    With `idempotency_key` the header Idempotency-Key is honoured; the field `shown_once` of its answer is replayed to a
    visitor only with proof. `other_responses` maps every status besides `status`
    to its media type. A `monitoring` operation (health, metrics) runs on the event loop without access checks and rate
    limits. An operation that `revalidates` answers 304 to a matching If-None-Match, and one with `ranges` answers 206
    to the header Range. A `hidden` operation is not in the OpenAPI document.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    access: Access
    body_kind: BodyKind = BodyKind.NONE
    body_model: type[BaseModel] | None = None
    status: int = 200
    media_types: tuple[str, ...] = ("application/json",)
    query: tuple[Parameter, ...] = ()
    idempotency_key: bool = False
    shown_once: str | None = None
    # The version of a ticket that the operation has opened. With a later one, somebody has used the ticket.
    opened_version: int = 1
    tag: str = "Tickets"
    rate_limit: RateLimit = RateLimit.DEFAULT
    hidden: bool = False
    other_responses: Mapping[int, str] = field(default_factory=dict)
    monitoring: bool = False
    revalidates: bool = False
    ranges: bool = False
    # Gives out what a person said, so that every read by somebody else is in the access log.
    logs_reads: bool = False
    # The headers of every response, whether it is an answer or a problem.
    response_headers: Mapping[str, str] = field(default_factory=dict)
    # Reads the path's ticket, once, for the access check and for the handler.
    ticket_query: TicketQuery = ticket_status.tickets
    # Whether the handler of a call without parameters reads the path's ticket and hardly more, such as the progress of
    # a running step. One query then reads the tickets of several calls.
    reads_only_ticket: bool = False
    # The `operationId` in the OpenAPI document, from which client generators make the name of a function. If it is
    # None, the `operationId` is made of the method and the path.
    id: str | None = None

    @property
    def is_for_browsers(self) -> bool:
        """Return True if people open the path in a browser; their browsers get problems as pages too."""
        return "text/html" in self.media_types

    @property
    def accepts_any_query(self) -> bool:
        """Return True if the path is opened by browsers, because links carry additions such as `utm_source`."""
        return self.hidden or "text/html" in (*self.media_types, *self.other_responses.values())

    def answer(self, call: Call) -> Answer:
        """Run the handler in the caller's thread, and return its answer."""
        return self._as_answer(self._call_handler(call))

    async def answer_on_loop(self, call: Call) -> Answer:
        """Return the answer of a handler that runs on the event loop."""
        result = self._call_handler(call)
        assert isinstance(result, Awaitable)
        return self._as_answer(await result)

    def _call_handler(self, call: Call) -> object:
        return self.handler(call) if self.body_model is None else self.handler(call, call.body)

    def _as_answer(self, result: object) -> Answer:
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
