"""The recogniser: a child process that holds the model, shared by all jobs, one window of speech at a time."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Timer
from typing import Any

from adapters.confined.child_process import ROOT, WAITING_SECONDS, child_environment
from adapters.confined.errors import ChildInterrupted, ChildTimedOut
from adapters.speech.model import ModelUnusable

START = "from adapters.speech.recognizer_main import main; main()"

# The limits of one window. Recognition of 28 seconds takes about ten seconds of an old processor.
CPU_SECONDS, WALL_SECONDS = 120, 600
# Of address space; what is resident is about a tenth.
MEMORY_MB = 6144
START_SECONDS = 120
# The process lives as long as there is work.
UNLIMITED = 10**9

# Without work for so long, the process ends and gives its memory back.
IDLE_SECONDS = 300.0

MAX_ANSWER_BYTES = 1024 * 1024


@cache
def shared_recognizer(model: Path | str, device: str) -> "Recognizer":
    """Return the recogniser that everything in this program shares."""
    return Recognizer(model, device)


class Recognizer:
    """Starts the process at the first request and again after a failure. Threads may call it at the same time.

    A long recording does not hold up others, because the process is shared window by window.
    """

    def __init__(self, model: Path | str, device: str = "cpu") -> None:
        self._model, self._device = model, device
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._idle: Timer | None = None
        self._answered = 0

    def languages(self, content: bytes, waiting: Callable[[], None]) -> dict[str, float]:
        """Return the probable languages of the window."""
        answer = self._answer({}, content, waiting)
        return {str(code): float(probability) for code, probability in answer["languages"].items()}

    def words(
        self, content: bytes, language: str, hints: Sequence[str], waiting: Callable[[], None]
    ) -> list[dict[str, Any]]:
        """Return the recognised words of the window, as `Recognition.words` does."""
        words = self._answer({"language": language, "hints": list(hints)}, content, waiting)["words"]
        return list(words)

    @property
    def running(self) -> bool:
        """Return True while the process holds the model."""
        process = self._process
        return process is not None and process.running

    def close(self) -> None:
        """End the process. A later request starts another one."""
        with self._lock:
            self._end()

    def _close_if_idle(self, answered: int) -> None:
        """End the process unless a request was answered since the timer was set."""
        with self._lock:
            # A request that was waiting for the lock when the timer fired could not cancel it any more.
            if answered == self._answered:
                self._end()

    def _answer(self, request: dict[str, object], content: bytes, waiting: Callable[[], None]) -> Any:
        """Return the answer. Call `waiting` every second until then; if it raises, the process ends."""
        while not self._lock.acquire(timeout=WAITING_SECONDS):
            waiting()
        try:
            if self._idle is not None:
                self._idle.cancel()
            answer = self._started(waiting).exchange(
                json.dumps(request | {"bytes": len(content)}).encode() + b"\n" + content, waiting
            )
        except BaseException:
            self._end()
            raise
        else:
            self._answered += 1
            self._idle = Timer(IDLE_SECONDS, self._close_if_idle, (self._answered,))
            self._idle.daemon = True
            self._idle.start()
            return answer
        finally:
            self._lock.release()

    def _started(self, waiting: Callable[[], None]) -> "_Process":
        process = self._process
        if process is None or not process.running:
            self._end()  # it may have been killed since the last request
            process = self._process = _Process(self._model, self._device)
            process.wait_until_ready(waiting)
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


class _Process:
    """The child process, from its start until `end`."""

    def __init__(self, model: Path | str, device: str) -> None:
        self._request = {
            "model": str(model),
            "device": device,
            "parent": os.getpid(),
            "cpu_seconds": UNLIMITED,
            "wall_seconds": UNLIMITED,
            "window_cpu_seconds": CPU_SECONDS,
            "memory_bytes": MEMORY_MB * 1024 * 1024,
            "output_bytes": 0,
        }
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        # The kernel ends the child with the thread that started it, so that is not the thread of a job.
        self._reader = threading.Thread(target=self._run, name="recogniser", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Return True until the end of the child was noticed, which is soon after it ended."""
        return self._reader.is_alive()

    def _run(self) -> None:
        """Start the child, and read its answers until it ends."""
        try:
            with subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", START, json.dumps(self._request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                env=child_environment(),
                start_new_session=True,  # Ctrl+C then reaches only the parent, which ends the child
            ) as child:
                self._child = child
                if self._ended.is_set():
                    child.kill()
                assert child.stdout is not None
                while line := child.stdout.readline(MAX_ANSWER_BYTES):
                    self._answers.put(line)
        except OSError:
            pass  # it could not be started
        finally:
            self._answers.put(None)

    def wait_until_ready(self, waiting: Callable[[], None]) -> None:
        """Wait until the model is loaded; ModelUnusable if it cannot be."""
        answer = self._next_answer(START_SECONDS, waiting)
        if "unusable" in answer:
            raise ModelUnusable(str(answer["unusable"]))

    def exchange(self, message: bytes, waiting: Callable[[], None]) -> Any:
        """Send a request and return its answer."""
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(message)
            self._child.stdin.flush()
        except (OSError, ValueError):  # the child ended, and the reader may have closed its pipes already
            raise ChildInterrupted("the recogniser ended") from None
        return self._next_answer(WALL_SECONDS, waiting)

    def _next_answer(self, seconds: float, waiting: Callable[[], None]) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._answers.get(timeout=WAITING_SECONDS)
                break
            except Empty:
                if time.monotonic() >= deadline:
                    raise ChildTimedOut("the recogniser did not answer in time") from None
                waiting()
        if line is None:
            raise ChildInterrupted("the recogniser ended")
        return json.loads(line)

    def end(self) -> None:
        """End the child at once, or as soon as it has started."""
        self._ended.set()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
