"""The measurement over several nodes: everybody sees everything, the broker is asked per tick."""

import io

import pytest
from rich.console import Console

from bench.nodes import Plan, measure

pytestmark = pytest.mark.slow


def test_viewers_on_every_node_see_every_gift_and_the_broker_is_asked_once_a_tick() -> None:
    plan = Plan(nodes=2, viewers=8, rate=200, seconds=2.0)

    report = measure(plan, Console(file=io.StringIO()))

    assert report.failures == {}
    assert report.figures["frames delivered"] > 0
    assert report.figures["broker: publications per message offered"] < 0.5
    named = {distribution.name for distribution in report.distributions}
    assert {"money, same node", "money, other nodes"} <= named
