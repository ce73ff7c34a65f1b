"""A collector on the loopback interface that receives and parses the traces that an OTLP exporter posts."""

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
    """An endpoint for OTLP over HTTP with protobuf bodies, which listens inside `with`."""

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
        """Return the attributes of the last received span of each name."""
        with self._lock:
            return {
                span.name: {pair.key: _plain(pair.value) for pair in span.attributes}
                for resource_spans in self._received
                for scope in resource_spans.scope_spans
                for span in scope.spans
            }

    def services(self) -> set[str]:
        """Return the names of the services that sent spans."""
        with self._lock:
            return {
                pair.value.string_value
                for resource_spans in self._received
                for pair in resource_spans.resource.attributes
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
                """Write no log."""

        return Handler


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None
