"""The commands `keys create`, `keys limit`, `keys list` and `keys revoke`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.identity.credentials import PUBLIC_WORKSPACE, ApiKey
from domain.errors import InvalidError, NotFoundError
from domain.values import Role
from entrypoints.cli.console import CommandFailed, UsageError, print_json, print_line, print_table, warn
from entrypoints.cli.context import OPERATOR, as_moment, as_uuid, logged_act, open_service
from entrypoints.composition.service import Service
from entrypoints.composition.settings import is_rate
from entrypoints.http.operations import LIMITS_OF_KEYS, RateLimit
from entrypoints.presentation.responses import utc, utc_or_none


def _view(key: ApiKey) -> dict[str, object]:
    return {
        "id": str(key.id),
        "role": key.role,
        "workspace": key.workspace,
        "scopes": list(key.scopes),
        "expiresAt": utc_or_none(key.expires_at),
    }


def create(
    role: str | None,
    workspace: str | None,
    scopes: list[str],
    rate_limits: list[str],
    expires: str | None,
    replaces: str | None,
    overlap_days: float,
    json: bool,
) -> None:
    if replaces is not None and (role or workspace or scopes or rate_limits):
        raise UsageError(
            "--replaces takes role, workspace, scopes and limits from the old key; leave these options out"
        )
    if replaces is None and role is None:
        raise UsageError("--role is needed: client, admin or auditor")
    if scopes and role != Role.CLIENT:
        raise UsageError("--scope is only for clients; admins and auditors have no scopes")
    moment, limits = _expiry(expires), _rate_limits(rate_limits)
    with open_service() as service:
        if replaces is None:
            key, secret = _create(service, str(role), workspace, scopes, moment, limits)
        else:
            key, secret = _replace(service, replaces, moment, overlap_days)
    if role == Role.CLIENT and not scopes:
        warn("a client without --scope may call nothing that needs a key")
    view = _view(key)
    if json:
        print_json({"id": view.pop("id"), "key": secret, **view})
    else:
        print_line(f"{secret}\n\nKey {key.id} for {key.role} in {key.workspace}. The secret is not shown again.")


def _expiry(expires: str | None) -> datetime | None:
    moment = as_moment(expires, "--expires")
    if moment is not None and moment <= datetime.now(UTC):
        raise UsageError("--expires must be in the future")
    return moment


def _rate_limits(options: list[str]) -> dict[str, str]:
    """Return the rate for the name of each limit that the options give, or raise UsageError."""
    rates = {}
    for option in options:
        name, _, rate = option.rpartition("=")
        name = name or RateLimit.DEFAULT.value
        if name not in LIMITS_OF_KEYS:
            raise UsageError(f"--rate-limit sets {', '.join(LIMITS_OF_KEYS)}")
        if not is_rate(rate):
            raise UsageError("--rate-limit must be a rate like 1000/minute or payment=100/minute")
        rates[name] = rate
    return rates


def _concerned(role: str, workspace: str | None) -> str | None:
    """Return the workspace whose programs use a key. A key of the whole service concerns none."""
    return (workspace or PUBLIC_WORKSPACE) if role == Role.CLIENT else None


def _workspace(service: Service, key_id: UUID) -> str | None:
    """Return the workspace of a client key, or None."""
    return service.access.credentials.workspace_of(key_id)


def limit(id: str, rate_limits: list[str], json: bool) -> None:
    key_id, limits = as_uuid(id, "ID"), _rate_limits(rate_limits)
    with open_service() as service:
        try:
            with logged_act(service.access.log, "keys limit", str(key_id), _workspace(service, key_id)):
                service.access.credentials.limit(key_id, limits)
        except NotFoundError:
            raise CommandFailed("there is no such key") from None
    if json:
        print_json({"id": str(key_id), "rateLimits": limits})
    else:
        print_line(f"Key {key_id} has {_written(limits) or 'the general limits'}.")


def _written(rate_limits: Mapping[str, str]) -> str:
    return " ".join(f"{name}={rate}" for name, rate in rate_limits.items())


def _create(
    service: Service,
    role: str,
    workspace: str | None,
    scopes: list[str],
    expires: datetime | None,
    rate_limits: dict[str, str],
) -> tuple[ApiKey, str]:
    scope_names = [name for option in scopes for name in option.replace(",", " ").split()]
    try:
        with logged_act(service.access.log, "keys create", workspace=_concerned(role, workspace)) as act:
            key, secret = service.access.credentials.create(
                Role(role),
                PUBLIC_WORKSPACE if workspace is None else workspace,
                scope_names,
                expires,
                rate_limits=rate_limits,
                created_by=OPERATOR,
            )
            act.object = str(key.id)
    except InvalidError as error:
        raise UsageError(error.detail) from None
    return key, secret


def _replace(service: Service, replaces: str, expires: datetime | None, overlap_days: float) -> tuple[ApiKey, str]:
    old_id = as_uuid(replaces, "--replaces")
    overlap = timedelta(days=overlap_days)
    with logged_act(service.access.log, "keys create --replaces", str(old_id), _workspace(service, old_id)) as act:
        key, secret = service.access.credentials.replace(old_id, overlap, expires, created_by=OPERATOR)
        act.object = f"{old_id}/{key.id}"
    return key, secret


def list_all(json: bool) -> None:
    with open_service() as service:
        keys = service.access.credentials.list()
    documents = [
        _view(key)
        | {
            "createdAt": utc_or_none(key.created_at),
            "revokedAt": utc_or_none(key.revoked_at),
            "rateLimits": dict(key.rate_limits),
            "lastUsedAt": utc_or_none(key.last_used_at),
            "replacedBy": None if key.replaced_by is None else str(key.replaced_by),
            "createdBy": key.created_by,
        }
        for key in keys
    ]
    if json:
        print_json(documents)
    else:
        columns = ("id", "role", "workspace", "scopes", "limits", "last used", "valid")
        rows = [
            [
                str(key.id),
                key.role,
                key.workspace,
                " ".join(key.scopes),
                _written(key.rate_limits),
                key.last_used_at and utc(key.last_used_at).date(),
                _validity(key),
            ]
            for key in keys
        ]
        print_table("API keys", columns, rows)


def _validity(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "yes"
    return f"until {utc(key.expires_at).date()}" if key.expires_at > datetime.now(UTC) else "expired"


def revoke(id: str, json: bool) -> None:
    key_id = as_uuid(id, "ID")
    with open_service() as service:
        try:
            with logged_act(service.access.log, "keys revoke", str(key_id), _workspace(service, key_id)):
                service.access.credentials.revoke(key_id)
        except NotFoundError:
            raise CommandFailed("there is no such key") from None
    if json:
        print_json({"id": str(key_id), "revoked": True})
    else:
        print_line(f"Key {key_id} is revoked.")
