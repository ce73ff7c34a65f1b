"""Helping people: they ask, somebody sees to it, and whoever lost their address gets their ticket back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from domain.commands import Contents, Tickets
from domain.support import SupportTicket
from domain.ticket import RecordingTicket
from domain.values import Actor, Contact, SupportCategory


class SupportTickets(Protocol):
    def add(self, support: SupportTicket) -> None:
        """Record a new support ticket; adding the very same again changes nothing."""

    def change(self, support_id: UUID, decide: Callable[[SupportTicket], None]) -> None:
        """Load, decide and record; NotFoundError if there is no such support ticket."""

    def get(self, support_id: UUID) -> SupportTicket:
        """The support ticket as it stands; NotFoundError if there is none."""

    def concerning(self, ticket_id: UUID, contact_indexes: Iterable[str]) -> Sequence[UUID]:
        """Those not erased that name the ticket, or leave one of these contacts and belong to no other ticket.

        Whatever was recorded before this is asked is found.
        """


@dataclass(frozen=True)
class Help:
    """Help about to be asked for: the id is made by the caller, so that asking twice opens one support ticket.

    `about` is the ticket that it names; `known` says whether whoever asks belongs to that.
    """

    support_id: UUID
    category: SupportCategory
    message: str
    about: UUID | None
    known: bool
    contact: Contact | None
    contact_index: str | None


@dataclass(frozen=True)
class Helping:
    """`indexes` are all keyed hashes that a contact may be found by."""

    tickets: Tickets
    support: SupportTickets
    contents: Contents
    indexes: Callable[[Contact], Iterable[str]]

    def ask(self, actor: Actor, help: Help) -> None:
        """Open a support ticket, sealed with the key of the ticket that whoever asks belongs to, else with its own."""
        ticket_id = help.about if help.known and help.about is not None else help.support_id
        self.support.add(
            SupportTicket.open(
                actor,
                help.support_id,
                ticket_id=ticket_id,
                category=help.category,
                message=help.message,
                about=help.about,
                contact=help.contact,
                contact_index=help.contact_index,
            )
        )

    def resolve(self, actor: Actor, support_id: UUID) -> None:
        self.support.change(support_id, lambda support: support.resolve(actor))

    def forget(self, actor: Actor, ticket: RecordingTicket) -> None:
        """Make unreadable what was written about an erased ticket, or from a contact that it ever had."""
        for support_id in self._concerning(ticket):
            # The key first: what is on record as erased is not looked for again after a crash.
            if self.support.get(support_id).own_key:
                self.contents.forget(support_id)
            self.support.change(support_id, lambda support: support.erase(actor))

    def _concerning(self, ticket: RecordingTicket) -> Sequence[UUID]:
        # Of an erased ticket the contacts may be unreadable already; the hashes that are on record always are there.
        told = {index for contact in ticket.contacts for index in self.indexes(contact)}
        return self.support.concerning(ticket.id, told | ticket.contact_indexes)
