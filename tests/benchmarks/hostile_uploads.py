"""Measures how long other requests wait while hostile recordings are uploaded, 45 in a minute."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import quantiles
from tempfile import TemporaryDirectory

from tests.benchmarks.report import Figure, Report
from tests.benchmarks.web_speed import storyledger
from tests.benchmarks.world import migrated
from tests.client import Client, Ticket
from tests.fakes.recordings import dense_flac, silent_recording

UPLOADS = 45
SECONDS = 60.0
# Between two requests of one reader.
PAUSE_SECONDS = 0.03
GOAL_MS = 500


@dataclass
class Latencies:
    """The answers' times in milliseconds, and how often each status answered an upload."""

    status: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    uploads: Counter[int] = field(default_factory=Counter)


def hostile_recordings() -> list[bytes]:
    """Recordings that take long to decode: far beyond the bounds, beyond them in secret, and just within them."""
    return [dense_flac(), dense_flac(declared_seconds=1), silent_recording(minutes=59, rate=48_000, layout="stereo")]


def percentile_99(milliseconds: list[float]) -> float:
    return quantiles(milliseconds, n=100)[98]


def measure(report: Report, server_url: str) -> None:
    with migrated(server_url) as url, TemporaryDirectory() as folder, storyledger(url, folder) as (ours, _):
        latencies = flood(ours)
    print(f"        answers to the uploads: {dict(latencies.uploads)}", flush=True)
    for what, times in (("/status", latencies.status), ("the public page", latencies.page)):
        label = f"{what} with {UPLOADS} hostile uploads a minute, 99th percentile of {len(times)}"
        report.add(Figure(label, percentile_99(times), "ms", GOAL_MS, at_most=True))


def flood(base_url: str, seconds: float = SECONDS) -> Latencies:
    """Upload from another address each time, as fast as 45 in a minute, and meanwhile read status and page."""
    latencies, ended = Latencies(), threading.Event()
    with Client(base_url=base_url) as visitor:
        tickets = [visitor.open_ticket() for _ in range(int(UPLOADS * seconds / SECONDS))]
        reader = visitor.open_ticket()
        page = reader.publish().partition("/d/")[2]
    recordings = hostile_recordings()

    def upload(number: int, ticket: Ticket) -> None:
        if ended.wait(number * SECONDS / UPLOADS):
            return
        address = {"X-Forwarded-For": f"203.0.113.{number + 1}"}
        answer = ticket.upload(recordings[number % len(recordings)], headers=address)
        latencies.uploads[answer.status_code] += 1

    def read(path: str, times: list[float]) -> None:
        with Client(base_url=base_url, headers={"Authorization": f"Bearer {reader.token}"}) as client:
            while not ended.wait(PAUSE_SECONDS):
                started = time.perf_counter()
                answer = client.get(path)
                times.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(len(tickets) + 2) as executor:
        reads = [
            executor.submit(read, f"{reader.path}/status", latencies.status),
            executor.submit(read, f"/d/{page}", latencies.page),
        ]
        uploads = [executor.submit(upload, number, ticket) for number, ticket in enumerate(tickets)]
        try:
            for future in uploads:
                future.result()
        finally:
            ended.set()
        for future in reads:
            future.result()
    return latencies
