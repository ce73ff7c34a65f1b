"""All checks of `storyledger doctor`, in the order of the table."""

from collections.abc import Mapping
from functools import partial

from entrypoints.composition.diagnosis import database, surroundings
from entrypoints.composition.diagnosis.database import Address
from entrypoints.composition.diagnosis.findings import Check
from entrypoints.composition.settings import Settings


def checks(settings: Settings, variables: Mapping[str, str], address: Address) -> dict[str, Check]:
    """Return each check by the name of its line, which it has if the check fails."""
    return {
        "settings": partial(surroundings.check_settings, settings, variables),
        "database": partial(database.check_database, settings, address),
        "replica": partial(database.check_replica, settings, address),
        "read models": partial(database.check_work, address),
        "epoch keys": partial(database.check_epoch_keys, settings, address),
        "checkpoints": partial(database.check_checkpoints, settings, address),
        "storage": partial(surroundings.check_storage, settings),
        "disk": partial(surroundings.check_disk, settings),
        "Stripe": partial(surroundings.check_stripe, settings),
        "mail": partial(surroundings.check_mail, settings),
        "texts": partial(surroundings.check_texts, settings),
        "speech": partial(surroundings.check_speech, settings),
        "drafting": partial(surroundings.check_drafting, settings),
        "confinement": partial(surroundings.check_confinement, settings),
        "rate limits": partial(surroundings.check_rate_limits, settings),
    }
