"""Logs: one JSON object a line, nothing secret, nothing unbounded, nothing that splits a line."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from liveroom import observe


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    observe.configure_logs(stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_hostile_text_stays_one_value_on_one_line(stream: io.StringIO) -> None:
    text = 'a\r\n{"level":"error"}\u2028%s {0} \x00\x1b[2J'
    observe.logger("t").info("said", text=text)
    (line,) = lines(stream)
    assert line["text"] == text
    assert stream.getvalue().count("\n") == 1


def test_tokens_never_reach_the_log(stream: io.StringIO) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    log = observe.logger("t")
    log.info("a", url=f"/r/x#t={token}", header=f"Bearer {token}", token="plain", ticket="plain")
    log.info("b", nested={"headers": [f"bearer {token}"]})
    logging.getLogger("library").warning("got %s", token)
    try:
        raise ValueError(token)
    except ValueError:
        log.exception("c")
    assert token not in stream.getvalue()
    assert "plain" not in stream.getvalue()
    assert len(lines(stream)) == 4


def test_long_values_are_cut_to_the_bound(stream: io.StringIO) -> None:
    observe.logger("t").info("said", text="家" * 10_000)
    (line,) = lines(stream)
    assert len(str(line["text"]).encode()) <= observe.VALUE_BYTES_MAX + 3


def test_lone_surrogates_do_not_break_the_log(stream: io.StringIO) -> None:
    observe.logger("t").info("said", text="\ud800")
    assert len(lines(stream)) == 1


def test_every_metric_of_the_contract_exists() -> None:
    from prometheus_client import REGISTRY

    names = {metric.name for metric in REGISTRY.collect()}
    assert {
        "liveroom_join_seconds",
        "liveroom_gateway_connections",
        "liveroom_gateway_frames",
        "liveroom_event_delivery_seconds",
        "liveroom_events_dropped",
        "liveroom_recognition_seconds",
        "liveroom_ledger_transfers",
        "liveroom_loop_lag_seconds",
    } <= names


def test_connections_that_anybody_can_make_write_no_lines(stream: io.StringIO) -> None:
    library = logging.getLogger("websockets.server")
    library.info("connection open")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    library.error("opening handshake failed", exc_info=ValueError("no upgrade"))
    assert stream.getvalue() == ""
    library.error("connection handler failed", exc_info=ValueError("ours"))
    (line,) = lines(stream)
    assert line["event"] == "connection handler failed"
