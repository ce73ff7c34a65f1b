"""Measures uploads, documents, the start and the help."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx2

import adapters
import domain
import entrypoints
import projections
from adapters.documents.qr import QrCodeRenderer
from adapters.documents.renderer import DocumentRenderer
from adapters.proof.checkpoints import Signer
from domain.sheets import CampaignSheet
from domain.values import DocumentFormat, Draft, Money
from tests.benchmarks.growth import started
from tests.benchmarks.report import Figure, Report, typical
from tests.benchmarks.web_speed import storyledger
from tests.benchmarks.world import migrated, write_history

UPLOAD_BYTES = 50 * 1024 * 1024 - 4096


def measure(report: Report, server_url: str) -> None:
    _documents(report)
    _help(report)
    _start(report, server_url)
    _upload(report, server_url)


def _documents(report: Report) -> None:
    draft = Draft(
        title="A home for the winter",
        story="Three weeks ago there was a fire in our house. " * 20,
        goal=Money(500_000, "USD"),
        beneficiary="David Miller",
        location="Chicago",
    )
    checkpoint = Signer(("a key of the benchmark",), "example.com").checkpoint(1_000_000, bytes(32))
    sheet = CampaignSheet(draft, "David Miller", "en", "https://example.com/d/abc", datetime.now(UTC), checkpoint)
    printer, codes = DocumentRenderer(), QrCodeRenderer()
    for what, goal, work in (
        ("a Word file", 40, lambda: printer.render(sheet, DocumentFormat.DOCX)),
        ("a PDF", 15, lambda: printer.render(sheet, DocumentFormat.PDF)),
        ("a QR code", 10, lambda: codes.png("https://example.com/d/abcdefghijkl")),
    ):
        report.add(Figure(f"{what}, warm", typical(work) * 1e3, "ms", goal, at_most=True))


def _help(report: Report) -> None:
    command = [str(Path(sys.executable).parent / "storyledger"), "--help"]
    took = typical(lambda: subprocess.run(command, check=True, capture_output=True), 9)
    report.add(Figure("storyledger --help", took, "s", 0.3, at_most=True))


def _start(report: Report, server_url: str) -> None:
    """Measure starts of a compiled service, also where Python is set to write no bytecode."""
    for package in (domain, projections, adapters, entrypoints):
        compileall.compile_dir(Path(package.__file__).parent, quiet=1)
    with migrated(server_url) as url, TemporaryDirectory() as folder:
        write_history(url, 2_000)
        took = []
        for _ in range(4):
            with started(url, folder) as (_, _, seconds):
                took.append(seconds)
    report.add(Figure("start to ready, existing data", median(took[1:]), "s", 2, at_most=True))


def _upload(report: Report, server_url: str) -> None:
    """Upload a wav of almost 50 MB over the loopback interface and measure the server's memory."""
    wav = b"RIFF" + (UPLOAD_BYTES - 8).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    wav += bytes.fromhex("0100 0100 44ac0000 88580100 0200 1000") + b"data" + (UPLOAD_BYTES - 44).to_bytes(4, "little")
    wav += os.urandom(UPLOAD_BYTES - len(wav))
    with (
        migrated(server_url) as url,
        TemporaryDirectory() as folder,
        storyledger(url, folder, processes=1) as (ours, pid),
    ):
        body = {"contactType": "EMAIL", "contactValue": "ada@example.com"}
        made = httpx2.post(f"{ours}/api/tickets/create", json=body).json()
        headers = {"Authorization": f"Bearer {made['accessToken']}"}
        target = f"{ours}/api/tickets/{made['id']}/upload-audio"
        small = wav[:4] + (36 + 88_200).to_bytes(4, "little") + wav[8:40] + (88_200).to_bytes(4, "little")
        peaks = []
        for data in (small + wav[44 : 44 + 88_200], wav):
            answer = httpx2.post(target, headers=headers, files={"audio": ("a.wav", data)}, timeout=120)
            assert answer.status_code == 200, answer.text
            peaks.append(_peak_mb(pid))
    report.add(Figure("upload of 50 MB: memory growth", peaks[1] - peaks[0], "MB", 16, at_most=True))


def _peak_mb(pid: int) -> float:
    """Return the peak memory of the process since its start."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise LookupError
