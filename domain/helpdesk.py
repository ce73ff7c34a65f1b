"""Helping people: they ask, somebody sees to it, and whoever lost their address gets their ticket back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.commands import digest
from domain.errors import InvalidError
from domain.ports import Mail
from domain.stores import Contents, Tickets
from domain.support import SupportTicket
from domain.tickets import RecordingTicket
from domain.values import SYSTEM, Actor, Contact, ContactType, SupportCategory


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
class Reset:
    """A ticket about to be given to whoever has a new address: id and token are made by the caller, as for `Help`."""

    reset_id: UUID
    contact: Contact
    contact_index: str
    token: str


@dataclass(frozen=True)
class Helpdesk:
    """`indexes` are all keyed hashes that a contact may be found by; `home` is the address of the service."""

    tickets: Tickets
    support: SupportTickets
    contents: Contents
    indexes: Callable[[Contact], Iterable[str]]
    home: str
    now: Callable[[], datetime]

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

    def reset(self, actor: Actor, ticket_id: UUID, reset: Reset, if_match: int | None = None) -> None:
        """Give the ticket a new contact and a new token, which goes there by mail; the old token opens nothing more.

        The old contact is told that it was changed. Nothing else of the ticket changes. InvalidError if no mail can
        reach the new contact: a token is shown to nobody, not even to who approves.
        """
        if reset.contact.type is not ContactType.EMAIL:
            raise InvalidError("must be EMAIL: the new access token goes out by mail", "/newContactType")

        def changed(ticket: RecordingTicket) -> Contact:
            before = ticket.contact
            ticket.change_contact(actor, reset.contact, reset.contact_index, digest(reset.token))
            return before

        self.tickets.change(ticket_id, changed, if_match, lambda before: self._mails(ticket_id, reset, before))
        for support_id in self._concerning(self.tickets.get(ticket_id)):
            if self.support.get(support_id).asks_to_reset(ticket_id):
                self.resolve(actor, support_id)

    def _mails(self, ticket_id: UUID, reset: Reset, before: Contact) -> list[Mail]:
        values = {"token": reset.token, "home": self.home}
        mails = [Mail("new_access", reset.contact.value, values, f"new-access:{reset.reset_id}", ticket_id)]
        if before.type is ContactType.EMAIL and before != reset.contact:
            told = {"changed": f"{self.now():%Y-%m-%d %H:%M} UTC", "home": self.home}
            mails.append(Mail("contact_changed", before.value, told, f"contact-changed:{reset.reset_id}", ticket_id))
        return mails

    def forget(self, ticket_id: UUID) -> None:
        """Make unreadable what was written about an erased ticket, or from a contact that it ever had."""
        for support_id in self._concerning(self.tickets.get(ticket_id)):
            # The key first: what is on record as erased is not looked for again after a crash.
            if self.support.get(support_id).own_key:
                self.contents.forget(support_id)
            self.support.change(support_id, lambda support: support.erase(SYSTEM))

    def _concerning(self, ticket: RecordingTicket) -> Sequence[UUID]:
        # Of an erased ticket the contacts may be unreadable already; the hashes that are on record always are there.
        told = {index for contact in ticket.contacts for index in self.indexes(contact)}
        return self.support.concerning(ticket.id, told | ticket.contact_indexes)
