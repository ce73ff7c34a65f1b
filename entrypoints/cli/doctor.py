"""The commands `doctor` and `stripe check`."""

import logging
import os
from contextlib import ExitStack

from adapters.lazy import Lazy
from adapters.payments.parsed_events import PARSED_TYPES
from domain.errors import RefusedError
from entrypoints.cli.console import CommandFailed, print_json, print_line, print_table
from entrypoints.cli.context import one_line_errors
from entrypoints.composition import settings as environment
from entrypoints.composition.database_url import DatabaseUrl, require_data
from entrypoints.composition.diagnosis.checks import checks
from entrypoints.composition.diagnosis.findings import NEED_A_PERSON, examine
from entrypoints.composition.diagnosis.surroundings import gateway
from entrypoints.composition.logs import configure
from entrypoints.composition.settings import Settings

# The longest duration of all checks together.
SECONDS = 6.0
WEBHOOK_PATH = "/api/webhooks/stripe"


def doctor(json: bool) -> None:
    settings = _settings()
    with ExitStack() as stack:
        # The first check that needs the database starts an embedded one; a failure is a finding like any other.
        address = Lazy(lambda: stack.enter_context(DatabaseUrl(settings, migrate=False, create=False)))
        findings = examine(checks(settings, os.environ, address), SECONDS)
    bad = [finding for finding in findings if finding.state in NEED_A_PERSON]
    if json:
        print_json({"ok": not bad, "checks": [vars(finding) for finding in findings]})
    else:
        rows = [(finding.check, finding.state, finding.sentence) for finding in findings]
        print_table("Doctor", ("check", "state", "what was found"), rows)
    if bad:
        raise CommandFailed(f"{len(bad)} of {len(findings)} lines need a person")


def check_stripe_endpoint(json: bool) -> None:
    settings = _settings()
    if settings.stripe_secret_key is None:
        if settings.production:
            raise CommandFailed("STRIPE_SECRET_KEY: missing")
        if json:
            print_json({"ok": True, "sandbox": True, "endpoints": 0, "missing": []})
        else:
            print_line("Payments go to the sandbox, which needs no endpoint at Stripe.")
        return
    url = settings.public_url + WEBHOOK_PATH
    with one_line_errors():
        try:
            endpoints = gateway(settings).webhook_endpoints()
        except RefusedError:
            raise CommandFailed("Stripe does not let STRIPE_SECRET_KEY read webhook endpoints") from None
    ours = [endpoint for endpoint in endpoints if endpoint.enabled and endpoint.url.rstrip("/") == url]
    sent = frozenset[str]().union(*(endpoint.event_types for endpoint in ours))
    missing = [] if "*" in sent else sorted(PARSED_TYPES - sent)
    if json:
        print_json({"ok": not missing, "sandbox": False, "endpoints": len(ours), "missing": missing})
    elif missing and ours:
        print_table("Events that are needed and not sent", ("type",), [[type] for type in missing])
    if not ours:
        raise CommandFailed(f"no enabled endpoint at Stripe has the address {url}")
    if missing:
        raise CommandFailed(f"{len(missing)} types of events are needed and not enabled at Stripe")
    if not json:
        print_line(f"Stripe sends all {len(PARSED_TYPES)} types of events that are needed to {url}.")


def _settings() -> Settings:
    """Return the settings, even if the service refuses to start with them."""
    with one_line_errors():
        settings = environment.read()
        # Errors are findings, not lines of the log.
        configure("CRITICAL")
        logging.getLogger().setLevel(logging.CRITICAL)
        require_data(settings)
    return settings
