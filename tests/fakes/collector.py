"""A collector of traces on the loopback interface: takes what an OTLP exporter posts, and reads it."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans


class Collector:
    """Listens inside `with`; an endpoint of OTLP over HTTP with protobuf bodies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: list[ResourceSpans] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def spans(self) -> dict[str, dict[str, Any]]:
        """The attributes of what arrived, by the span's name; of several of one name the last."""
        with self._lock:
            return {
                span.name: {pair.key: _plain(pair.value) for pair in span.attributes}
                for told in self._received
                for scope in told.scope_spans
                for span in scope.spans
            }

    def services(self) -> set[str]:
        """Who sent it."""
        with self._lock:
            return {
                pair.value.string_value
                for told in self._received
                for pair in told.resource.attributes
                if pair.key == "service.name"
            }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                fits = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if fits:
                    with collector._lock:
                        collector._received.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200 if fits else 400)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
