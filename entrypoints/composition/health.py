"""Watchdog, health probe, gauges, self-test, and the record of the last day."""

import tempfile
import threading
from collections.abc import Callable
from functools import partial

from adapters.disk import free_bytes_of
from adapters.health import measures, surroundings
from adapters.health.lag import HealthProbe
from adapters.health.parts import Measured, Part, State
from adapters.health.records import HealthRecords
from adapters.health.sampler import HealthSampler
from adapters.health.self_test import SelfTest
from adapters.health.surroundings import BoundedMeasure, IncreaseInHour, StorageMeasure
from adapters.mail.outbox import Channel
from adapters.observability import counters
from adapters.observability.gauges import Gauges
from adapters.postgres.watchdog import Watchdog
from adapters.quotas import MIB
from domain.values import Step
from entrypoints.composition.content import Content, speech_model_problem
from entrypoints.composition.foundation import Foundation, Parts

HEALTH_CONNECTIONS = 1

Measure = Callable[[], Measured]


class Health:
    """Built last, because the watchdog guards all existing pools. `gave_up` is set after too long an outage."""

    def __init__(self, foundation: Foundation, content: Content) -> None:
        # A pool of its own, because requests may exhaust theirs.
        self.database = foundation.pool("health", HEALTH_CONNECTIONS)
        self.health_probe = HealthProbe(self.database)
        self.gauges = Gauges(self.database, foundation.settings.epoch_hours)
        self.gave_up = threading.Event()
        self.watchdog = Watchdog(
            foundation.url,
            list(foundation.pools.values()),
            foundation.registry,
            patience_seconds=foundation.settings.db_outage_exit_seconds,
            give_up=self.gave_up.set,
        )
        self.self_test = SelfTest(foundation.url, foundation.secrets.master, registry=foundation.registry)
        self.records = HealthRecords(self.database)
        self.sampler = HealthSampler(self.records, self._measures(foundation, content))

    def _measures(self, foundation: Foundation, content: Content) -> dict[Part, Measure]:
        """Return the parts that this process measures.

        What the database tells every process measures, so that the end of all workers is recorded as well.
        """
        settings = foundation.settings
        reading = partial(measures.reading, self.database)
        sends_mails = settings.smtp_url is not None and not settings.mail_is_off
        sends_texts = settings.text_provider is not None and not settings.texts_are_off
        measure_of_part: dict[Part, Measure] = {
            Part.DATABASE: partial(
                measures.database_answers, foundation.database, lambda: self.watchdog.health.schema_fault
            ),
            Part.READ_MODELS: reading(measures.read_models),
            Part.WEBHOOKS: reading(measures.webhooks) if foundation.secrets.webhooks else _not_set_up,
            Part.STRIPE_CALLS: reading(measures.stripe_calls),
            Part.JOBS: reading(measures.jobs),
            Part.MAILS: reading(measures.messages(Channel.MAIL)) if sends_mails else _not_set_up,
            Part.TEXTS: reading(measures.messages(Channel.TEXT)) if sends_texts else _not_set_up,
            Part.BACKUP: reading(measures.backup),
        }
        if Parts.WORKER in foundation.parts:
            measure_of_part |= {
                Part.FILES: BoundedMeasure(StorageMeasure(content.storage)),
                Part.DISK: BoundedMeasure(
                    partial(surroundings.disk, settings.min_free_mb * MIB, _places(foundation, content))
                ),
                Part.SPEECH: partial(
                    surroundings.model,
                    lambda: None if settings.speech == "openai" else speech_model_problem(settings),
                    IncreaseInHour(partial(counters.total, counters.model_faults, step="speech")),
                    _failed_jobs(Step.TRANSCRIBE),
                ),
                Part.DRAFTING: partial(
                    surroundings.model,
                    lambda: None,
                    IncreaseInHour(partial(counters.total, counters.model_faults, step="draft")),
                    _failed_jobs(Step.ANALYSE, Step.DRAFT),
                ),
            }
        if Parts.PROJECTIONS in foundation.parts:
            refusals = IncreaseInHour(partial(counters.total, counters.checkpoint_refusals))
            measure_of_part[Part.PROOF] = reading(measures.proof(refusals))
        return measure_of_part


def _not_set_up() -> Measured:
    return Measured(State.OFF)


def _places(foundation: Foundation, content: Content) -> list[Callable[[], int | None]]:
    """Return what tells the free space: where recordings are received and kept, and of a data folder."""
    data = foundation.settings.data_dir
    return [
        lambda: free_bytes_of(tempfile.gettempdir()),
        lambda: free_bytes_of(data) if data.is_dir() else None,
        content.storage.free_bytes,
    ]


def _failed_jobs(*steps: Step) -> IncreaseInHour:
    return IncreaseInHour(
        lambda: sum(counters.total(counters.job_runs, kind=step.value, outcome="failed") for step in steps)
    )
