"""A Stripe account with many paid donations, computed from their numbers, so that it needs no memory.

Every fourth donation is partly refunded. python -m tests.benchmarks.stripe_account PORT DONATIONS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from adapters.stripe_sandbox import shapes
from adapters.stripe_sandbox.parameters import LineItem, PriceData, ProductData, SessionParams
from adapters.stripe_sandbox.shapes import Payer

StripeDict = dict[str, Any]
CREATED = 1_790_000_000
AMOUNT, REFUNDED, FEE = 5_000, 1_000, 175
TICKETS = 100
REFUND_EVERY = 4
# Sessions, intents, charges and their balance transactions; a fourth has a refund and its balance transaction, too.
OBJECTS_OF_FOUR = 18
DAY_SECONDS = 86_400
PAYER = Payer("Grace Brewster Hopper", "grace@example.com", "US")


def donations_for(objects: int) -> int:
    """Return how many donations have so many objects together."""
    return -(-objects * REFUND_EVERY // OBJECTS_OF_FOUR)


def donation_key(number: int) -> tuple[UUID, UUID]:
    return UUID(int=1 + number % TICKETS, version=4), UUID(int=(number + 1) << 80, version=4)


def metadata(number: int) -> dict[str, str]:
    ticket_id, donation_id = donation_key(number)
    return {"ticketId": str(ticket_id), "donationId": str(donation_id)}


def session(number: int) -> StripeDict:
    at = CREATED + number
    price = PriceData(currency="usd", unit_amount=AMOUNT, product_data=ProductData(name="Donation"))
    params = SessionParams(
        mode="payment",
        line_items=[LineItem(price_data=price)],
        metadata=metadata(number),
        client_reference_id=metadata(number)["donationId"],
        success_url="https://example.com/",
        submit_type="donate",
    )
    opened = shapes.session(params, now=at, expires_at=at + DAY_SECONDS, pages="https://checkout.stripe.com/c/pay")
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": f"pi_{number}", "url": None}
    return opened | paid | {"id": f"cs_{number}", "customer_details": shapes.customer_details(PAYER)}


def intent(number: int) -> StripeDict:
    pending = shapes.payment_intent(
        now=CREATED + number, amount=AMOUNT, currency="usd", metadata=metadata(number), description="Donation"
    )
    paid = {"status": "succeeded", "amount_received": AMOUNT, "latest_charge": f"ch_{number}"}
    return pending | paid | {"id": f"pi_{number}"}


def charge(number: int) -> StripeDict:
    pending = shapes.charge(intent(number), PAYER, shapes.CARD, CREATED + number)
    paid = {"status": "succeeded", "paid": True, "captured": True, "amount_captured": AMOUNT}
    refunded = {"amount_refunded": REFUNDED if number % REFUND_EVERY == 0 else 0}
    return pending | paid | refunded | {"id": f"ch_{number}", "balance_transaction": f"txn_ch{number}"}


def refund(number: int) -> StripeDict:
    made = shapes.refund(
        charge(number), now=CREATED + number, amount=REFUNDED, status="succeeded", reason=None, metadata={}
    )
    return made | {"id": f"re_{number}", "balance_transaction": f"txn_re{number}"}


def transaction(place: int) -> StripeDict:
    """Return the balance transaction at this place of the list: of a charge, or of a refund."""
    number, is_refund = _numbers_of(place)
    kind, sign = ("refund", "re") if is_refund else ("charge", "ch")
    made = shapes.balance_transaction(
        source=f"{sign}_{number}",
        type=kind,
        category=kind,
        amount=-REFUNDED if is_refund else AMOUNT,
        fee=0 if is_refund else FEE,
        currency="usd",
        now=CREATED + number,
        description=None,
    )
    return made | {"id": f"txn_{sign}{number}"}


def _numbers_of(place: int) -> tuple[int, bool]:
    """Return the donation's number, and True for its refund: the order is ch0, re0, ch1, ch2, ch3, ch4, re4, …"""
    group, rest = divmod(place, REFUND_EVERY + 1)
    return group * REFUND_EVERY + max(0, rest - 1), rest == 1


def _place_of(number: int, is_refund: bool) -> int:
    group, rest = divmod(number, REFUND_EVERY)
    return group * (REFUND_EVERY + 1) + (rest + 1 if rest or is_refund else 0)


EVENTS: list[tuple[str, Callable[[int], StripeDict]]] = [
    ("payment_intent.succeeded", intent),
    ("charge.succeeded", lambda number: charge(number) | {"amount_refunded": 0}),
    ("checkout.session.completed", session),
    ("refund.created", refund),
    ("charge.refunded", charge),
]


def event(place: int) -> StripeDict | None:
    number, kind = divmod(place, len(EVENTS))
    type, make = EVENTS[kind]
    if kind >= 3 and number % REFUND_EVERY:
        return None
    return shapes.event(type, make(number), CREATED + number, None, None) | {"id": f"evt_{place}"}


class Account:
    """The lists of an account with so many donations, and their objects by id."""

    def __init__(self, donations: int) -> None:
        refunds = -(-donations // REFUND_EVERY)
        # For each collection: the number of places, the object at a place, and the place that an id stands for.
        self._collections: dict[str, tuple[int, Callable[[int], StripeDict | None], Callable[[str], int]]] = {
            "checkout/sessions": (donations, session, _number),
            "payment_intents": (donations, intent, _number),
            "charges": (donations, charge, _number),
            "refunds": (refunds, lambda place: refund(place * REFUND_EVERY), lambda id: _number(id) // REFUND_EVERY),
            "disputes": (0, lambda _: None, _number),
            "balance_transactions": (
                donations + refunds,
                transaction,
                lambda id: _place_of(int(id[6:]), id.startswith("txn_re")),
            ),
            "events": (donations * len(EVENTS), event, _number),
        }

    def list(self, collection: str, query: dict[str, list[str]]) -> StripeDict:
        count, make, place_of = self._collections[collection]
        limit = int(query.get("limit", ["10"])[0])
        place = place_of(query["starting_after"][0]) if "starting_after" in query else count
        data: list[StripeDict] = []
        while place > 0 and len(data) < limit:
            place -= 1
            if (stripe_object := make(place)) is not None:
                data.append(stripe_object)
        return {"object": "list", "data": data, "has_more": place > 0, "url": f"/v1/{collection}"}

    def retrieve(self, collection: str, id: str) -> StripeDict | None:
        count, make, place_of = self._collections[collection]
        place = place_of(id)
        return make(place) if 0 <= place < count else None


def _number(id: str) -> int:
    return int(id.partition("_")[2])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account: Account

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = url.path.removeprefix("/v1/").split("/")
        collection = "/".join(parts[:2]) if parts[0] == "checkout" else parts[0]
        id = url.path.removeprefix(f"/v1/{collection}").strip("/")
        answer = self.account.retrieve(collection, id) if id else self.account.list(collection, parse_qs(url.query))
        body = json.dumps(answer or {"error": {"code": "resource_missing", "type": "invalid_request_error"}}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def main() -> None:
    port, donations = map(int, sys.argv[1:])
    _Handler.account = Account(donations)
    # Otherwise an answer in two packets waits for the client's acknowledgement.
    _Handler.wbufsize = -1
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
