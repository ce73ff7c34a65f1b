"""The uvicorn server of the service by itself."""

from __future__ import annotations

import socket
import threading

import pytest
from starlette.responses import PlainTextResponse

from entrypoints.http import server
from entrypoints.http.server import Server
from tests.client import WAIT_SECONDS, Client, eventually


@pytest.mark.parametrize("already_started", [True, False])
def test_a_server_that_is_asked_to_stop_does_not_wait_for_its_next_tick(
    monkeypatch: pytest.MonkeyPatch, already_started: bool
):
    monkeypatch.setattr(server, "TICK_SECONDS", 10 * WAIT_SECONDS)
    finished = threading.Event()
    web = Server(PlainTextResponse("here"), finished.set, lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
        if already_started:
            thread.start()
            eventually(lambda: web.started)
            with Client() as visitor:
                assert visitor.get(f"http://127.0.0.1:{listener.getsockname()[1]}").text == "here"
        web.should_exit = True
        if not already_started:
            thread.start()
        thread.join(WAIT_SECONDS)
        assert finished.is_set()
