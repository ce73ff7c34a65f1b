"""Checks of the settings, and of everything outside the database that they name."""

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial

from adapters.confined.child_process import measures_in_force
from adapters.confined.confinement import Measure, is_harmless
from adapters.disk import free_bytes_of
from adapters.mail.transports import SmtpTransport
from adapters.model_servers import Fault, ModelServer, fault_of
from adapters.payments.gateway import StripeGateway
from adapters.quotas import MIB
from adapters.storage.factory import open_storage, place_exists
from adapters.texts.transports import TwilioTexts
from domain.errors import RefusedError
from entrypoints.composition import settings as environment
from entrypoints.composition.content import speech_model_problem
from entrypoints.composition.diagnosis.findings import Finding, State
from entrypoints.composition.settings import Settings
from entrypoints.composition.startup_checks import unknown_variables

# For each exchange with a server. A check takes a few of them.
ANSWER_SECONDS = 2.0
GIB = 2**30


def check_settings(settings: Settings, variables: Mapping[str, str]) -> Iterator[Finding]:
    """Name what is set, what the service would refuse, and what looks like a slip; a value is never shown."""
    set_names = [name for name in settings.model_fields_set if getattr(settings, name) not in (None, (), "")]
    listed = ", ".join(sorted(name.upper() for name in set_names)) or "nothing"
    yield Finding("settings", State.OK, f"{settings.app_env}; set: {listed}")
    for fault in environment.faults_of(settings):
        lacks = fault.partition(": ")[2].startswith(("missing", "needed"))
        yield Finding("settings", State.MISSING if lacks else State.ODD, fault)
    if not settings.production:
        for fault in environment.weak_secrets(settings):
            yield Finding("settings", State.ODD, fault)
    for variable, setting in unknown_variables(variables).items():
        yield Finding("settings", State.ODD, f"{variable} is not a setting; {setting} is")


def check_storage(settings: Settings) -> Iterator[Finding]:
    """Check that an object can be stored, read and deleted, and the free space."""
    if not place_exists(settings.storage):
        yield Finding("storage", State.MISSING, "there is no folder yet; `storyledger serve` makes it")
        return
    storage = open_storage(settings.storage)
    storage.check()
    free = storage.free_bytes()
    if free is None:
        yield Finding("storage", State.OK, "objects can be stored, read and deleted")
    else:
        yield _space("storage", "objects can be stored, read and deleted", free, settings)


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check the free space of the folder of temporary files, and of the data folder if there is one."""
    yield _space("disk", "temporary files", free_bytes_of(tempfile.gettempdir()), settings)
    if settings.data_dir.is_dir():
        yield _space("disk", "DATA_DIR", free_bytes_of(settings.data_dir), settings)


def _space(check: str, what: str, free_bytes: int, settings: Settings) -> Finding:
    sentence = f"{what}: {free_bytes / GIB:.1f} GiB free"
    if free_bytes < settings.min_free_mb * MIB:
        return Finding(check, State.ODD, f"{sentence}, less than MIN_FREE_MB ({settings.min_free_mb})")
    return Finding(check, State.OK, sentence)


def check_stripe(settings: Settings) -> Iterator[Finding]:
    if settings.stripe_secret_key is None:
        state = State.MISSING if settings.production else State.OFF
        yield Finding("Stripe", state, "STRIPE_SECRET_KEY is not set: payments go to the sandbox")
        return
    mode = "live mode" if settings.livemode else "TEST mode, no money moves"
    try:
        gateway(settings).check_key()
        yield Finding("Stripe", State.OK, f"accepts the key; {mode}")
    except RefusedError:
        yield Finding("Stripe", State.ODD, "does not accept STRIPE_SECRET_KEY, or not for reading events")
    if settings.stripe_webhook_secret:
        yield Finding("Stripe", State.OK, "STRIPE_WEBHOOK_SECRET is set; `storyledger stripe check` checks the events")
    else:
        yield Finding("Stripe", State.MISSING, "STRIPE_WEBHOOK_SECRET is not set: every webhook is refused")


def gateway(settings: Settings) -> StripeGateway:
    """Return a gateway that gives up soon."""
    assert settings.stripe_secret_key is not None
    return StripeGateway(
        settings.stripe_secret_key,
        settings.stripe_api_base,
        connect_seconds=ANSWER_SECONDS,
        read_seconds=ANSWER_SECONDS,
        retries=0,
    )


def check_mail(settings: Settings) -> Iterator[Finding]:
    if settings.mail_is_off:
        yield Finding("mail", State.OFF, "MAIL=off: nobody gets a mail")
    elif settings.smtp_url is None:
        yield Finding("mail", State.OFF, "SMTP_URL is not set: mails are written to DATA_DIR/outbox")
    else:
        SmtpTransport(settings.smtp_url, settings.sender, ANSWER_SECONDS).check()
        yield Finding("mail", State.OK, "the SMTP server answers")


def check_texts(settings: Settings) -> Iterator[Finding]:
    provider = settings.text_provider
    if settings.texts_are_off:
        why = "TEXTS=off" if settings.texts == "off" else "TEXT_ACCOUNT is not set"
        yield Finding("texts", State.OFF, f"{why}: nobody gets a text message, and codes go by e-mail")
    elif provider is None:
        yield Finding("texts", State.OFF, "TEXT_ACCOUNT is not set: text messages are written to DATA_DIR/outbox")
    else:
        try:
            knows = TwilioTexts(provider, ANSWER_SECONDS).check()
        except RefusedError:
            yield Finding("texts", State.ODD, "the provider does not accept TEXT_ACCOUNT with TEXT_TOKEN")
            return
        sentence = "the provider accepts the account" if knows else "the provider answers, but does not tell more"
        yield Finding("texts", State.OK, f"{sentence}; at most {settings.text_limit_day} a day")


def check_speech(settings: Settings) -> Iterator[Finding]:
    if settings.speech == "openai":
        yield from _model("speech", "OPENAI_SPEECH_MODEL", settings)
    elif problem := speech_model_problem(settings):
        yield Finding("speech", State.MISSING, f"{problem}; recordings wait. docs/speech.md says how to bring a model")
    else:
        yield Finding("speech", State.OK, f"local, on {settings.speech_device}; the model is there")


def check_drafting(settings: Settings) -> Iterator[Finding]:
    if settings.drafting == "openai":
        yield from _model("drafting", "OPENAI_DRAFT_MODEL", settings)
    else:
        yield Finding("drafting", State.OK, "local")


def _model(check: str, variable: str, settings: Settings) -> Iterator[Finding]:
    server = settings.servers[variable]
    yield _server(check, variable, server)
    for warning in settings.model_warnings:
        if warning.startswith(variable):
            yield Finding(check, State.ODD, warning)


def _server(check: str, variable: str, server: ModelServer) -> Finding:
    """Ask the server for its model, which costs nothing."""
    from openai import APIError

    finding = partial(Finding, check)
    try:
        server.client(ANSWER_SECONDS, 0).models.retrieve(server.model, extra_headers=server.headers)
    except APIError as error:
        match fault_of(error):
            case Fault.MODEL_MISSING:
                return finding(State.MISSING, f"{variable}: the server does not have {server.model}")
            case Fault.KEY_REJECTED:
                return finding(State.ODD, "the server rejects the key")
            case Fault.UNAVAILABLE:
                return finding(State.UNREACHABLE, "the server does not answer")
            case _:
                # Some servers with the same API do not tell which models they have.
                return finding(State.OK, f"the server answers, but does not tell whether it has {server.model}")
    return finding(State.OK, f"the server has {server.model}")


def check_confinement(settings: Settings) -> Iterator[Finding]:
    """Check what confines the processes that decode recordings."""
    in_force = set(measures_in_force())
    missing = sorted({*Measure} - in_force)
    sentence = f"in force: {', '.join(sorted(in_force)) or 'nothing'}; missing: {', '.join(missing) or 'nothing'}"
    if is_harmless(in_force):
        yield Finding("confinement", State.OK, sentence)
    else:
        yield Finding("confinement", State.ODD if settings.production else State.OFF, sentence)


def check_rate_limits(settings: Settings) -> Iterator[Finding]:
    if (url := settings.shared_rate_limits) is None:
        yield Finding("rate limits", State.OFF, "RATE_LIMIT_STORAGE is not set: each process counts alone")
        return
    from redis import Redis, RedisError

    try:
        Redis.from_url(url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=ANSWER_SECONDS).ping()
        yield Finding("rate limits", State.OK, "processes share them")
    except RedisError:
        yield Finding("rate limits", State.UNREACHABLE, "RATE_LIMIT_STORAGE does not answer: each process counts alone")
