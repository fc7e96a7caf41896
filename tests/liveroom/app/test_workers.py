"""How the processes behind one address differ, and how they are counted."""

from liveroom.app.workers import living_workers, worker_config
from liveroom.config import Address, Config

CONFIG = Config(
    http=Address("127.0.0.1", 80), gateway=Address("0.0.0.0", 81), node="one", workers=3
)


def test_the_first_is_the_whole_node_and_the_others_take_websockets_only() -> None:
    first, second = worker_config(CONFIG, 0), worker_config(CONFIG, 1)
    assert (first.http, first.media, first.node) == (CONFIG.http, CONFIG.media, "one")
    assert (second.http.port, second.media.port, second.http.host) == (0, 0, "127.0.0.1")
    assert second.node == "one-worker1"
    assert first.gateway == second.gateway == CONFIG.gateway


def test_clients_are_told_the_same_addresses_by_all() -> None:
    told = {
        (config.public_url, config.gateway_url)
        for config in (worker_config(CONFIG, index) for index in range(3))
    }
    assert len(told) == 1
    ((public_url, gateway_url),) = told
    assert public_url == "http://127.0.0.1:80"
    assert gateway_url is not None
    assert gateway_url.startswith("ws://")
    assert gateway_url.endswith(":81/v1/ws")


def test_a_nodes_own_processes_are_counted_and_no_others() -> None:
    heard = [
        "one/1f",
        "one-worker1/2e",
        "one-worker2/3d",
        "two/4c",
        "one-more/5b",
        "two-worker1/6a",
    ]
    assert living_workers("one", heard) == 3
