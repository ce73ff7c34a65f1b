"""Operations of the API keys of a workspace."""

from entrypoints.http.handlers.keys import KeyHandlers, KeyOrder, KeyReplacement
from entrypoints.http.operations import Operation, RateLimit
from entrypoints.http.table.access import CURSOR, JSON, LIMIT, WORKSPACE_MANAGE
from entrypoints.http.table.members import WORKSPACE

KEYS = f"{WORKSPACE}/keys"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", KEYS, "List the API keys of a workspace, oldest first", KeyHandlers.list_keys, WORKSPACE_MANAGE,
        query=(LIMIT, CURSOR), tag="Workspaces", id="listKeys",
    ),
    Operation(
        "POST", KEYS, "Create an API key for a program; it is shown once", KeyHandlers.create, WORKSPACE_MANAGE, JSON,
        KeyOrder, 201, idempotency_key=True, shown_once="key", rate_limit=RateLimit.CREATE, tag="Workspaces",
        id="createKey",
    ),
    Operation(
        "POST", f"{KEYS}/{{key_id}}/replace", "Replace an API key, which stays valid for some days",
        KeyHandlers.replace, WORKSPACE_MANAGE, JSON, KeyReplacement, 201, idempotency_key=True, shown_once="key",
        rate_limit=RateLimit.CREATE, tag="Workspaces", id="replaceKey",
    ),
    Operation(
        "DELETE", f"{KEYS}/{{key_id}}", "Revoke an API key; its next request is refused", KeyHandlers.revoke,
        WORKSPACE_MANAGE, status=204, tag="Workspaces", id="revokeKey",
    ),
)  # fmt: skip
