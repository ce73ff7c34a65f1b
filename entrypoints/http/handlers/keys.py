"""Handlers for the API keys of a workspace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, field_validator
from pydantic_core import PydanticCustomError

from adapters.identity.credentials import Credentials, new_key
from domain.errors import FaultCode
from domain.values import Role
from entrypoints.composition.settings import Settings, is_rate
from entrypoints.http.bodies import Body, Line
from entrypoints.http.handlers.members import id_in_path, named_workspace
from entrypoints.http.operations import Answer, Call, RateLimit
from entrypoints.http.paging import parse_id, requested_page
from entrypoints.http.problems import invalid
from entrypoints.presentation.keys import CreatedKey, KeyPage, KeyView

LONGEST_OVERLAP_DAYS = 365
# A key beyond this year is one that does not expire.
LAST_YEAR = 9998

Scope = Literal[
    "tickets:read", "tickets:write", "tickets:search", "payments:create", "donations:read", "exports:read"
]  # fmt: skip
LimitOfKey = Literal["default", "payment", "create"]


def _check_expiry(value: datetime | None) -> datetime | None:
    if value is not None and not datetime.now(UTC) < value <= datetime(LAST_YEAR, 1, 1, tzinfo=UTC):
        raise PydanticCustomError(FaultCode.OUT_OF_RANGE, "must be in the future")
    return value


class KeyOrder(Body):
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: AwareDatetime | None = None
    rate_limits: dict[LimitOfKey, Line] = Field(default_factory=dict)

    _expiry = field_validator("expires_at")(_check_expiry)

    @field_validator("rate_limits")
    @classmethod
    def _check_rates(cls, value: dict[LimitOfKey, str]) -> dict[LimitOfKey, str]:
        if not all(map(is_rate, value.values())):
            raise PydanticCustomError(FaultCode.INVALID, "must be rates like 100/minute")
        return value


class KeyReplacement(Body):
    overlap_days: Annotated[float, Field(ge=0, le=LONGEST_OVERLAP_DAYS)] = 7
    expires_at: AwareDatetime | None = None

    _expiry = field_validator("expires_at")(_check_expiry)


def general_limits(settings: Settings) -> Mapping[str, str]:
    """Return the rate of each limit that a key may have of its own, as it is without one."""
    return {
        RateLimit.DEFAULT.value: settings.rate_limit_default,
        RateLimit.PAYMENT.value: settings.rate_limit_payment,
        RateLimit.CREATE.value: settings.rate_limit_create,
    }


@dataclass(frozen=True)
class KeyHandlers:
    credentials: Credentials
    general_limits: Mapping[str, str]

    def list_keys(self, call: Call) -> Answer[KeyPage]:
        workspace, page = named_workspace(call), requested_page(call)
        keys = self.credentials.client_keys(workspace, page.limit + 1, page.after_key(parse_id))
        keys_on_page = page.cut(keys, lambda key: (str(key.id),))
        return page.answer(KeyPage([KeyView.of(key) for key in keys_on_page], page.next_cursor))

    def create(self, call: Call, body: KeyOrder) -> Answer[CreatedKey]:
        workspace = named_workspace(call)
        self._require_permitted_rates(call, body.rate_limits)
        key, secret = self.credentials.create(
            Role.CLIENT,
            workspace,
            list(dict.fromkeys(body.scopes)),
            body.expires_at,
            new_key(call.seed.secret("API key")),
            dict(body.rate_limits.items()),
            id=call.seed.id("API key"),
            created_by=call.principal.actor,
        )
        return Answer(CreatedKey.of_secret(key, secret), 201, {"Location": f"/api/workspaces/{workspace}/keys"})

    def replace(self, call: Call, body: KeyReplacement) -> Answer[CreatedKey]:
        """Create a successor; the old key expires after the overlap."""
        workspace = named_workspace(call)
        key, secret = self.credentials.replace(
            id_in_path(call.path_params["key_id"], "key"),
            timedelta(days=body.overlap_days),
            body.expires_at,
            workspace=workspace,
            successor=(call.seed.id("API key"), new_key(call.seed.secret("API key"))),
            created_by=call.principal.actor,
        )
        return Answer(CreatedKey.of_secret(key, secret), 201, {"Location": f"/api/workspaces/{workspace}/keys"})

    def revoke(self, call: Call) -> Answer[None]:
        workspace = named_workspace(call)
        self.credentials.revoke(id_in_path(call.path_params["key_id"], "key"), workspace)
        return Answer(None, 204)

    def _require_permitted_rates(self, call: Call, rates: Mapping[LimitOfKey, str]) -> None:
        """Raise Problem 422 for a rate above the general one, which only the installation may grant."""
        if call.principal.role is Role.ADMIN or not rates:
            return
        from limits import parse

        for name, rate in rates.items():
            asked, general = parse(rate), parse(self.general_limits[name])
            is_faster = asked.amount * general.get_expiry() > general.amount * asked.get_expiry()
            if asked.amount > general.amount or is_faster:
                detail = f"is above {self.general_limits[name]}, the limit of this installation"
                raise invalid(f"/rateLimits/{name}", detail, FaultCode.OUT_OF_RANGE)
