"""How peers are told apart when they are counted."""

import pytest

from liveroom.edge.connection import address_of


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5, 0, 0), "192.0.2.1"),
        ("/run/socket", "local"),
        (None, "local"),
    ],
)
def test_peers_are_named(peer: object, name: str) -> None:
    assert address_of(peer) == name


def test_one_network_of_ipv6_counts_as_one_address() -> None:
    first = address_of(("2001:db8:1:2::1", 5, 0, 0))
    assert first == address_of(("2001:db8:1:2:ffff::9", 7, 0, 0))
    assert first != address_of(("2001:db8:1:3::1", 5, 0, 0))
    assert address_of(("fe80::1%eth0", 5, 0, 2)) == address_of(("fe80::2", 5, 0, 2))
