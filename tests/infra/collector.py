"""A collector of OpenTelemetry traces, as small as one can be: OTLP over HTTP, in protobuf."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Seen:
    """A span that came in; identifiers in hexadecimal, ``links`` the spans that it names."""

    process: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Any] = field(hash=False)
    failed: bool
    nanoseconds: int


@dataclass
class Collector:
    """``spans`` in the order that they came in; ``raw`` all that was ever sent, for what must not stand there."""

    url: str
    spans: list[Seen] = field(default_factory=list)
    raw: bytes = b""

    def take(self, body: bytes) -> None:
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            said = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_seen(said["service.name"], span) for span in scope.spans]


def _seen(process: str, span: Any) -> Seen:
    return Seen(
        process=process,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        attributes={one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes},
        failed=span.status.code == 2,
        nanoseconds=span.end_time_unix_nano - span.start_time_unix_nano,
    )


@contextmanager
def collector() -> Iterator[Collector]:
    """Listens on the loopback until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
