"""Whose quotas a call uses."""

from adapters.quotas import Owners
from domain.values import Role
from entrypoints.http.middleware.rate_limits import client_network
from entrypoints.http.operations import Call


def owners_of(call: Call) -> Owners:
    """Return the owners of the quotas that a call about a ticket uses."""
    return Owners(call.ticket_id, call.ticket["workspace"], address_of_person(call))


def address_of_person(call: Call) -> str | None:
    """Return the network address of a visitor or holder, or None for an API key."""
    by_person = call.principal.role in (Role.VISITOR, Role.HOLDER)
    return client_network(call.client_address) if by_person else None
