"""The ids that the log lines of a request carry."""

from __future__ import annotations

from contextvars import Context

from adapters.observability import log_context


def test_a_thread_may_add_ids_while_another_one_writes_a_line():
    def act() -> list[str]:
        log_context.begin(request="r")
        written = []
        for name in log_context.current():
            log_context.add(ticket="t")
            written.append(name)
        return written

    assert Context().run(act) == ["request"]
