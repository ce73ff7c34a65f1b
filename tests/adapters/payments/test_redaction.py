"""The redaction of an erased person's events keeps what the ledger reads."""

from __future__ import annotations

import inspect
import json
import re

from adapters.payments import event_parsers, parsed_events, redaction, stripe_objects

_READ = re.compile(
    r"\.(?:get|has|text|optional_text|reference|expanded|integer|optional_time|flag|money|signed_money|mapping|objects)"
    r'\("(\w+)"'
)
PERSONAL = {"name", "email"}
# In other objects, and in the metadata, these names may stand for anything.
OF_DISPUTES = {"reason", "evidence_details", "due_by"}


def test_redaction_keeps_every_field_that_the_parsers_read_but_name_and_email():
    sources = "".join(inspect.getsource(module) for module in (event_parsers, parsed_events, stripe_objects))
    link_fields = {name for names in stripe_objects._LINK_FIELDS.values() for name in names}
    read = {*_READ.findall(sources), *link_fields, *event_parsers.BALANCE_TRANSACTION_FIELDS}
    read |= {parsed_events.ONLY_LINKS_FIELD, parsed_events.RETRIEVED_FIELD}
    assert read > PERSONAL
    kept = json.loads(redaction.without_personal_data(json.dumps(dict.fromkeys(read, 1)).encode()))
    assert read - kept.keys() == PERSONAL | OF_DISPUTES


def test_a_redacted_dispute_keeps_its_reason_and_deadline_and_no_evidence():
    details = {"reason": "fraudulent", "evidence_details": {"due_by": 1_750_000_000, "customer_name": "Ada"}}
    others = {"evidence": {"customer_name": "Ada"}, "metadata": {"reason": "Ada asked", "ticketId": "1"}}
    dispute = {"object": "dispute", "id": "dp_1", **details, **others}
    kept = json.loads(redaction.without_personal_data(json.dumps({"data": {"object": dispute}}).encode()))
    assert kept["data"]["object"] == {
        "object": "dispute",
        "id": "dp_1",
        "reason": "fraudulent",
        "evidence_details": {"due_by": 1_750_000_000},
        "metadata": {"ticketId": "1"},
    }
    strange = {"object": "dispute", "reason": {"name": "Ada"}, "evidence_details": {"due_by": "Ada"}}
    assert json.loads(redaction.without_personal_data(json.dumps(strange).encode())) == {"object": "dispute"}
