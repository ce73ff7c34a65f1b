"""The API keys of a workspace as responses."""

from __future__ import annotations

from uuid import UUID

from adapters.identity.credentials import ApiKey
from entrypoints.presentation.responses import ResponseBody, Time, utc, utc_or_none


class KeyView(ResponseBody):
    """One API key without its secret. `lastUsedAt` is exact to the hour."""

    id: UUID
    scopes: list[str]
    rate_limits: dict[str, str]
    created_at: Time
    created_by: str | None
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    replaced_by: UUID | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyView:
        last_used = utc_or_none(key.last_used_at)
        return cls(
            key.id,
            list(key.scopes),
            dict(key.rate_limits),
            utc(key.created_at),
            key.created_by,
            utc_or_none(key.expires_at),
            utc_or_none(key.revoked_at),
            last_used and last_used.replace(minute=0, second=0, microsecond=0),
            key.replaced_by,
        )


class KeyPage(ResponseBody):
    """A result page of API keys, in the order in which they were created."""

    keys: list[KeyView]
    next_cursor: str | None


class CreatedKey(ResponseBody):
    """A new API key. The key itself is shown once."""

    id: UUID
    key: str
    scopes: list[str]
    rate_limits: dict[str, str]
    created_by: str | None
    expires_at: Time | None

    @classmethod
    def of_secret(cls, key: ApiKey, secret: str) -> CreatedKey:
        return cls(key.id, secret, list(key.scopes), dict(key.rate_limits), key.created_by, utc_or_none(key.expires_at))
