"""Figures as ratios against a baseline that was measured in the same run, since machines are noisy."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True)
class Figure:
    """One measurement. Its goal applies to `value / baseline`, or to the value itself without a baseline."""

    what: str
    value: float
    unit: str
    goal: float
    baseline: float | None = None
    against: str = ""
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return self.value / self.baseline if self.baseline else self.value

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


@dataclass
class Report:
    figures: list[Figure] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(_line(figure), flush=True)

    def write(self, json_path: Path | None) -> None:
        figures = [asdict(f) | {"ratio": f.ratio, "met": f.met} for f in self.figures]
        if json_path is not None:
            json_path.write_text(json.dumps(figures, indent=2))
        # The sections below the table belong to others.
        _, heading, rest = RESULTS.read_text(encoding="utf-8").partition("\n## ")
        RESULTS.write_text(_markdown(self.figures) + heading + rest, encoding="utf-8")


def _line(f: Figure) -> str:
    sign = "≤" if f.at_most else "≥"
    against = f" = {f.ratio:.2f} × {f.against} ({_number(f.baseline)})" if f.baseline else ""
    return f"{'met   ' if f.met else 'MISSED'}  {f.what}: {_number(f.value)} {f.unit}{against}, goal {sign} {f.goal:g}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _markdown(figures: list[Figure]) -> str:
    lines = [
        "# Benchmark results",
        "",
        "Written by `make bench`. Each ratio is against a baseline measured in the same run; absolute figures are of "
        f"one machine ({platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores for client, "
        "server and database together).",
        "",
        "| what | measured | baseline | ratio | goal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for f in figures:
        sign = "≤" if f.at_most else "≥"
        baseline = f"{f.against}: {_number(f.baseline)} {f.unit}" if f.baseline else ""
        ratio = f"{f.ratio:.2f} ×" if f.baseline else ""
        unit = "" if f.baseline else f" {f.unit}"
        goal = f"{sign} {f.goal:g}{' ×' if f.baseline else unit}"
        met = "met" if f.met else "**missed**"
        lines.append(f"| {f.what} | {_number(f.value)} {f.unit} | {baseline} | {ratio} | {goal} | {met} |")
    return "\n".join(lines) + "\n"


def rate(times: int, work: Callable[[], Any], rounds: int = 3) -> float:
    """Return the rate per second, as the median of some rounds of `work`, which does `times` repetitions."""
    return times / median(seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def typical(work: Callable[[], Any], times: int = 30, warm: int = 3) -> float:
    """Return the median seconds of one call after a warm-up."""
    for _ in range(warm):
        work()
    return median(seconds(work) for _ in range(times))


def typical_pair(ours: Callable[[], Any], other: Callable[[], Any], times: int, warm: int = 3) -> tuple[float, float]:
    """Return the median seconds of each, measured alternately, so that a slower machine slows both."""
    for _ in range(warm):
        ours(), other()
    pairs = [(seconds(ours), seconds(other)) for _ in range(times)]
    return median(first for first, _ in pairs), median(second for _, second in pairs)


def processor_milliseconds(
    work: Callable[[], Any], servers: Iterable[int], times: int = 40, warm: int = 3
) -> list[float]:
    """Return the processor time of each call, in this process and in those of the database.

    Unlike the time on the clock, it hardly depends on what else the machine does.
    """
    for _ in range(warm):
        work()
    processes, spent = list(servers), []
    for _ in range(times):
        before = process_time() + _server_seconds(processes)
        work()
        spent.append((process_time() + _server_seconds(processes) - before) * 1e3)
    return spent


def _server_seconds(processes: Iterable[int]) -> float:
    files = (Path(f"/proc/{process}/schedstat") for process in processes)
    return sum(int(file.read_text().split()[0]) for file in files if file.exists()) / 1e9


def server_seconds(postmaster: int) -> float:
    """Return the processor time that all processes of a PostgreSQL have spent, also of those that have ended."""
    before = _stat(postmaster)[11:15]
    ticks = sum(map(int, before))
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((stat := _stat(int(folder.name)))[1]) == postmaster:
                ticks += int(stat[11]) + int(stat[12])
    # A process that ended meanwhile is missing in both parts of the sum.
    if _stat(postmaster)[13:15] != before[2:]:
        return server_seconds(postmaster)
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Return the fields of a process from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
