"""Coming back: jittered, bounded, never earlier than the server asked, never when not wanted."""

from random import Random

import pytest

from liveroom.client.backoff import BASE_S, CAP_S, Backoff, may_come_back


def test_delays_stay_under_a_bound_that_doubles_to_a_cap() -> None:
    backoff = Backoff(Random(1))

    delays = [backoff.delay_s() for _ in range(200)]

    for failures, delay in enumerate(delays):
        assert 0 <= delay <= min(CAP_S, BASE_S * 2**failures)
    assert max(delays[20:]) > CAP_S / 2


def test_success_starts_again_from_the_shortest_delay() -> None:
    backoff = Backoff(Random(1))
    for _ in range(10):
        backoff.delay_s()

    backoff.succeeded()

    assert backoff.delay_s() <= BASE_S


def test_the_servers_hint_is_the_least() -> None:
    backoff = Backoff(Random(1))

    assert 2.0 <= backoff.delay_s(2_000) <= 2.0 + BASE_S


def test_a_thousand_clients_spread() -> None:
    delays = [Backoff(Random(seed)).delay_s(1_000) for seed in range(1_000)]

    assert max(delays) - min(delays) > BASE_S * 0.9


@pytest.mark.parametrize("code", [1000, 1001, 1006, 4000, 4001, 4002, 4003, 4008])
def test_these_codes_let_one_come_back(code: int) -> None:
    assert may_come_back(code)


@pytest.mark.parametrize("code", [4100, 4101, 4102, 4103, 4104, 4105, 4106])
def test_these_codes_are_goodbye(code: int) -> None:
    assert not may_come_back(code)
