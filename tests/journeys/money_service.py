"""One running service for all tests of a module, which use different tickets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrypoints.composition.service import Parts
from tests.client import WAIT_SECONDS, LiveService
from tests.postgres import fresh_database


@pytest.fixture(scope="module")
def live(server_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("money")
    with fresh_database(server_url, migrated_template) as url, LiveService(url, folder / "var", Parts.ALL) as running:
        yield running


@pytest.fixture
def silent(live: LiveService) -> Iterator[LiveService]:
    """Return the service while the sandbox delivers no webhooks."""
    assert live.service.payments.sandbox is not None
    live.service.payments.sandbox.close()
    yield live
    live.service.payments.sandbox.start()
    assert live.service.payments.sandbox.wait_delivered(WAIT_SECONDS)
    live.applied()
