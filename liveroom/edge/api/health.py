"""Routes for operators: alive, ready, metrics."""

from typing import Any

import msgspec
from prometheus_client.exposition import choose_encoder

from liveroom import __version__
from liveroom.domain.actors import Role
from liveroom.domain.refusals import Refused
from liveroom.edge.api.access import authenticate, permit
from liveroom.edge.api.table import ANYONE, Access, Call, Credential, Plain, Row
from liveroom.observe import figures

ADMINS = Access(Credential.REQUIRED, frozenset({Role.ADMIN}))


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str
    node: str
    version: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process wants traffic, and what each part says."""

    status: str
    parts: dict[str, str]


async def alive(call: Call) -> Health:
    """Say that the process answers."""
    return Health(status="ok", node=call.backend.config.node, version=__version__)


async def ready(call: Call) -> Plain:
    """Say whether this process wants traffic: 503 while it starts, drains or lacks a part."""
    readiness = call.backend.readiness()
    shown = Ready(status="ready" if readiness.ready else "not_ready", parts=dict(readiness.parts))
    status = 200 if readiness.ready else 503
    return Plain(msgspec.json.encode(shown), "application/json", status)


async def metrics(call: Call) -> Plain:
    """Expose the metrics (OpenMetrics, or the older text format), to whom the settings say."""
    setting = call.backend.config.metrics
    if setting == "off":
        raise Refused("not_found", "Metrics are switched off.")
    if setting == "admin":
        actor = authenticate(call.backend, ADMINS, call.headers)
        assert actor is not None
        permit(ADMINS, actor)
    encode: Any
    encode, media_type = choose_encoder(call.headers.get("accept", ""))
    return Plain(encode(figures()), media_type)


ROWS = (
    Row(
        method="GET",
        path="/healthz",
        summary="Alive?",
        handle=alive,
        access=ANYONE,
        answer=Health,
    ),
    Row(
        method="GET",
        path="/readyz",
        summary="Ready for traffic?",
        handle=ready,
        access=ANYONE,
        answer=Ready,
    ),
    Row(method="GET", path="/metrics", summary="Metrics.", handle=metrics, access=ANYONE),
)
