"""Commands about API keys: who may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.identity.credentials import PUBLIC_WORKSPACE, ApiKey
from domain.errors import InvalidError, NotFoundError, RefusedError
from domain.values import Role
from entrypoints.cli.audit_record import on_record
from entrypoints.cli.console import Found, Usage, print_json, say, table
from entrypoints.cli.setup import as_moment, as_uuid, service
from entrypoints.composition.service import Service
from entrypoints.presentation.views import time


def _view(key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "role": key.role,
        "workspace": key.workspace,
        "scopes": list(key.scopes),
        "expiresAt": time(key.expires_at),
    }


def create(
    role: str | None,
    workspace: str | None,
    scopes: list[str],
    expires: str | None,
    replaces: str | None,
    overlap_days: float,
    json: bool,
) -> None:
    if replaces is not None and (role or workspace or scopes):
        raise Usage("--replaces takes over role, workspace and scopes: they cannot be given besides")
    if replaces is None and role is None:
        raise Usage("--role must be client, admin or auditor")
    if scopes and role != Role.CLIENT:
        raise Usage("--scope is for clients: admins and auditors are held to none")
    moment = _expiry(expires)
    with service() as built:
        if replaces is None:
            made, secret = _create(built, str(role), workspace, scopes, moment)
        else:
            made, secret = _replace(built, replaces, moment, overlap_days)
    view = _view(made)
    if json:
        print_json({"id": view.pop("id"), "key": secret, **view})
    else:
        say(f"{secret}\n\nKey {made.id} for {made.role} in {made.workspace}. The secret is not shown again.")


def _expiry(expires: str | None) -> datetime | None:
    moment = as_moment(expires, "--expires")
    if moment is not None and moment <= datetime.now(UTC):
        raise Usage("--expires must be a time to come")
    return moment


def _create(
    built: Service, role: str, workspace: str | None, scopes: list[str], expires: datetime | None
) -> tuple[ApiKey, str]:
    listed = [scope for given in scopes for scope in given.replace(",", " ").split()]
    try:
        wanted = Role(role)
    except ValueError:
        raise Usage("--role must be client, admin or auditor") from None
    try:
        with on_record(built.access_log, "keys create") as about:
            named = PUBLIC_WORKSPACE if workspace is None else workspace
            made, secret = built.credentials.create(wanted, named, listed, expires)
            about.object = str(made.id)
    except InvalidError as fault:
        raise Usage(fault.detail) from None
    return made, secret


def _replace(built: Service, replaces: str, expires: datetime | None, overlap_days: float) -> tuple[ApiKey, str]:
    old = as_uuid(replaces, "--replaces")
    try:
        with on_record(built.access_log, "keys create --replaces", str(old)) as about:
            made, secret = built.credentials.replace(old, timedelta(days=overlap_days), expires)
            about.object = f"{old}/{made.id}"
    except (NotFoundError, RefusedError) as refusal:
        raise Found(str(refusal)) from None
    return made, secret


def list_all(json: bool) -> None:
    with service() as built:
        found = built.credentials.list()
    told = [
        _view(key)
        | {
            "createdAt": time(key.created_at),
            "revokedAt": time(key.revoked_at),
            "lastUsedAt": time(key.last_used_at),
            "replacedBy": None if key.replaced_by is None else str(key.replaced_by),
        }
        for key in found
    ]
    if json:
        print_json(told)
    else:
        columns = ("id", "role", "workspace", "scopes", "used", "works")
        rows = [
            [
                str(key.id),
                key.role,
                key.workspace,
                " ".join(key.scopes),
                (time(key.last_used_at) or "")[:10],
                _works(key),
            ]
            for key in found
        ]
        table("API keys", columns, rows)


def _works(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "yes"
    return f"until {str(time(key.expires_at))[:10]}" if key.expires_at > datetime.now(UTC) else "expired"


def revoke(id: str, json: bool) -> None:
    key = as_uuid(id, "ID")
    with service() as built:
        try:
            with on_record(built.access_log, "keys revoke", str(key)):
                built.credentials.revoke(key)
        except NotFoundError:
            raise Found("there is no such key") from None
    if json:
        print_json({"id": str(key), "revoked": True})
    else:
        say(f"{key} is worthless now.")
