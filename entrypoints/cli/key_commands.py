"""The commands of the group `keys` with their arguments and help; each imports its code when it runs."""

from typing import Annotated, Literal

import typer

EpochKeys = Annotated[str | None, typer.Option(metavar="URL", help="Where the epoch keys are. Default: EPOCH_KEY_URL.")]
AcceptKeyless = Annotated[
    int,
    typer.Option(
        "--accept-keyless", metavar="N", min=0, help="Confirm that N tickets or donors lose their keys for good."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

keys = typer.Typer(
    help="Manage API keys and rotate secrets.", epilog="Example: storyledger keys list", no_args_is_help=True
)

KeyId = Annotated[str, typer.Argument(help="The key's id.")]
RateLimits = Annotated[
    list[str] | None,
    typer.Option("--rate-limit", metavar="[default|payment|create=]RATE", help="The key's own limit; may be repeated."),
]
SCOPES = "tickets:read, tickets:write, tickets:search, payments:create, donations:read, exports:read"


@keys.command("create", epilog="Example: storyledger keys create --role client --workspace ngo --scope tickets:read")
def keys_create(
    role: Annotated[Literal["client", "admin", "auditor"] | None, typer.Option(help="Who will use the key.")] = None,
    workspace: Annotated[
        str | None, typer.Option(help="The key's workspace, created if it is new. Default: public.")
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(help=f"What a client may do: {SCOPES}. May be repeated.")] = None,
    rate_limit: RateLimits = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE|TIME", help="When the key expires.")] = None,
    replaces: Annotated[
        str | None, typer.Option(metavar="ID", help="Take role, workspace and scopes from this key, and replace it.")
    ] = None,
    overlap: Annotated[
        float, typer.Option(metavar="DAYS", min=0, max=365, help="How long the replaced key remains valid.")
    ] = 7,
    json: Json = False,
) -> None:
    """Create or replace an API key. The secret is shown only once."""
    from entrypoints.cli import keys

    keys.create(role, workspace, scope or [], rate_limit or [], expires, replaces, overlap, json)


@keys.command("list", epilog="Example: storyledger keys list")
def keys_list(json: Json = False) -> None:
    """List all keys without their secrets."""
    from entrypoints.cli import keys

    keys.list_all(json)


@keys.command(
    "limit",
    epilog="Example: storyledger keys limit 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25 --rate-limit payment=99/minute",
)
def keys_limit(id: KeyId, rate_limit: RateLimits = None, json: Json = False) -> None:
    """Set the rate limits of a key."""
    from entrypoints.cli import keys

    keys.limit(id, rate_limit or [], json)


@keys.command("revoke", epilog="Example: storyledger keys revoke 01a1fcb7-cf92-7d3a-94a6-7b128ee46f25")
def keys_revoke(id: KeyId, json: Json = False) -> None:
    """Revoke a key immediately."""
    from entrypoints.cli import keys

    keys.revoke(id, json)


@keys.command("rewrap", epilog="Example: storyledger keys rewrap")
def keys_rewrap(json: Json = False) -> None:
    """Apply the newest MASTER_KEY and EMAIL_PEPPER.

    Keys and texts are encrypted again and contacts are hashed again, while the service runs.
    """
    from entrypoints.cli import privacy

    privacy.rewrap_keys(json)


@keys.command("rotate-epoch", epilog="Example: storyledger keys rotate-epoch")
def keys_rotate_epoch(json: Json = False) -> None:
    """Replace the epoch key and destroy the old.

    From then on nobody can read what was erased before. The service does this by itself every EPOCH_HOURS.
    """
    from entrypoints.cli import privacy

    privacy.rotate_epoch(json)


@keys.command("recover", epilog="Example: storyledger keys recover")
def keys_recover(epoch_keys: EpochKeys = None, accept_keyless: AcceptKeyless = 0, json: Json = False) -> None:
    """Recover the keys of an older database.

    Needed if the epoch key was replaced since the snapshot or standby that it comes from. Stop the service first.
    """
    from entrypoints.cli import privacy

    privacy.recover_keys(epoch_keys, accept_keyless, json)
