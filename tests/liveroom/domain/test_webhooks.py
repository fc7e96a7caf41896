"""When a page is tried again, when a target is left alone, and what an endpoint may be."""

import pytest

from liveroom.domain.refusals import Refused
from liveroom.domain.webhooks import (
    ATTEMPTS_MAX,
    BREAKER_FAILURES,
    BREAKER_MS_MAX,
    KINDS,
    RETRY_MS_MAX,
    Endpoint,
    check_endpoint,
    open_for_ms,
    retry_after_ms,
)


def test_delays_grow_are_jittered_and_end() -> None:
    least = [retry_after_ms(attempt, chance=0.0) for attempt in range(1, ATTEMPTS_MAX)]
    most = [retry_after_ms(attempt, chance=0.999) for attempt in range(1, ATTEMPTS_MAX)]
    assert least[:3] == [1_000, 2_000, 4_000]
    assert least == sorted(least, key=lambda ms: ms or 0)
    for low, high in zip(least, most, strict=True):
        assert low is not None
        assert high is not None
        assert low < high <= RETRY_MS_MAX
    assert retry_after_ms(ATTEMPTS_MAX, chance=0.5) is None


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    assert open_for_ms(BREAKER_FAILURES - 1, chance=0.9) == 0
    assert open_for_ms(BREAKER_FAILURES, chance=0.0) == 5_000
    assert open_for_ms(10**6, chance=0.999) <= BREAKER_MS_MAX
    assert open_for_ms(BREAKER_FAILURES + 1, chance=0.5) > open_for_ms(BREAKER_FAILURES, chance=0.5)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/x", "ftp://shop.example", "https://", "https://:443/x", "/x", "shop",
        "https://user@shop.example/", "https://u:p@shop.example/", "https://shop.example/#a",
        "https://shop.example:99999/", "https://[::1", "https://shop.example:0/",
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(Refused, match="invalid"):
        check_endpoint(url, (), private_allowed=False)


def test_addresses_and_kinds_that_are_fine() -> None:
    check_endpoint("https://shop.example:8443/hook?x=1", sorted(KINDS), private_allowed=False)
    check_endpoint("http://127.0.0.1:9/hook", (), private_allowed=True)
    with pytest.raises(Refused, match="danmaku"):
        check_endpoint("https://shop.example/", ("danmaku",), private_allowed=False)


def test_what_an_endpoint_wants() -> None:
    fields = {"id": "e", "tenant": "t", "url": "u", "secret": "s", "room": None, "paused": False}
    fields |= {"failures": 0, "open_until": 0, "created_at": 0}
    everything, gifts = Endpoint(kinds=(), **fields), Endpoint(kinds=("gift",), **fields)  # type: ignore[arg-type]
    assert everything.wants("gift")
    assert everything.wants("order")
    assert not everything.wants("danmaku")
    assert gifts.wants("gift")
    assert not gifts.wants("order")
