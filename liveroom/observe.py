"""What the server tells its operators: structured logs and Prometheus metrics.

Shells (app, edge, service, adapters) call in; cores never do. A log line is one JSON object;
what people typed is only ever a value in it, cut and redacted, never part of a format string.
The media core's own metrics live in `sfu/observe`; both share the default registry.
"""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

VALUE_BYTES_MAX = 256
"""Longer text values are cut and marked with an ellipsis."""

TRACEBACK_CHARS_MAX = 8_192
"""A traceback keeps its end, where the cause stands."""

REDACTED = "[redacted]"

SECRET_KEYS = frozenset(
    {"token", "ticket", "authorization", "secret", "admin_key", "password", "payment_secret"}
)

_TOKENS = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]*\.?[\w-]*"  # a JWT anywhere
    r"|(?i:bearer)\s+\S+"
    r"|(?<=#t=)[^\s\"'&]+"
)

WEBSOCKETS = "websockets.server"
LIBRARIES_QUIETER = {"httpx": "WARNING", WEBSOCKETS: "WARNING", "uvicorn.error": "ERROR"}
"""They write lines for each request or connection: anybody on the network could fill the disk."""

BROKEN_HANDSHAKE = "opening handshake failed"
"""A traceback for each connection that speaks no websocket; metrics and 4xx tell of them."""

_LONG_KEYS = frozenset({"exception", "stack"})

JOIN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)
DELIVERY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)

JOIN_SECONDS = Histogram(
    "liveroom_join_seconds",
    "Time of each step of a join: http, ice, dtls, first_packet, hello, welcome.",
    ["step"],
    buckets=JOIN_BUCKETS,
)
GATEWAY_CONNECTIONS = Gauge(
    "liveroom_gateway_connections", "Open websockets.", multiprocess_mode="livesum"
)
GATEWAY_FRAMES = Counter("liveroom_gateway_frames_total", "Frames written to websockets.")
EVENT_DELIVERY_SECONDS = Histogram(
    "liveroom_event_delivery_seconds",
    "From the making of an event to its write to the sockets of the room.",
    ["class"],
    buckets=DELIVERY_BUCKETS,
)
EVENTS_DROPPED = Counter(
    "liveroom_events_dropped_total",
    "Events not shown to a viewer, by delivery class and reason.",
    ["class", "reason"],
)
RECOGNITION_SECONDS = Histogram(
    "liveroom_recognition_seconds",
    "From a viewer's hello to the publishing of their card to the host.",
    buckets=DELIVERY_BUCKETS,
)
LEDGER_TRANSFERS = Counter("liveroom_ledger_transfers_total", "Committed ledger bundles.")
PARCELS_LATE = Counter(
    "liveroom_parcels_late_total", "First purchases that did not leave as promised."
)
LOOP_LAG_SECONDS = Histogram(
    "liveroom_loop_lag_seconds",
    "How late the event loop ran a timer.",
    buckets=DELIVERY_BUCKETS,
)
BUS_DEGRADED = Gauge(
    "liveroom_bus_degraded",
    "1 while the other nodes cannot be reached over the bus, else 0.",
    multiprocess_mode="livemax",
)
BUS_RECONNECTS = Counter(
    "liveroom_bus_connects_total", "Connections made to listen to the bus, the first ones included."
)
BUS_REPAIRED = Counter(
    "liveroom_bus_repaired_total",
    "Durable events that a room got late, by where they were read again: stream or store.",
    ["source"],
)
BUS_LAG_SECONDS = Histogram(
    "liveroom_bus_lag_seconds",
    "From a node's publishing to another node's hearing it, by their two clocks.",
    buckets=DELIVERY_BUCKETS,
)
BUS_PUBLISH_SECONDS = Histogram(
    "liveroom_bus_publish_seconds",
    "How long the bus took to take durable events.",
    buckets=DELIVERY_BUCKETS,
)
HTTP_REQUESTS = Counter(
    "liveroom_http_requests_total",
    "Answered HTTP requests by route and status.",
    ["route", "status"],
)


def figures() -> CollectorRegistry:
    """Give the metrics of this process, or of all processes that share a folder for them."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


def redact(text: str) -> str:
    """Replace tokens and tickets in a text."""
    return _TOKENS.sub(REDACTED, text)


def cut(text: str) -> str:
    """Shorten a text to the log's bound, never inside a character."""
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= VALUE_BYTES_MAX:
        return raw.decode()
    return raw[:VALUE_BYTES_MAX].decode("utf-8", "ignore") + "…"


def _clean(key: str, value: object) -> object:
    if key in SECRET_KEYS:
        return REDACTED
    if value is None or isinstance(value, bool | int | float):
        return value
    text = redact(value if isinstance(value, str) else repr(value))
    return text[-TRACEBACK_CHARS_MAX:] if key in _LONG_KEYS else cut(text)


def clean_values(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Redact and cut every value of a log line (a structlog processor)."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _clean(key, value)
    return event


def configure_logs(*, level: str = "info", stream: TextIO | None = None) -> None:
    """Send our log lines and those of the libraries to `stream` as JSON, one object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                clean_values,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in LIBRARIES_QUIETER.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(least), root.level))
    logging.getLogger(WEBSOCKETS).addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.msg != BROKEN_HANDSHAKE


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Make a logger; bind room or user ids once with its `bind`."""
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return made
