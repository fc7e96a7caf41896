"""The bad path is as bad as asked for, the same for the same seed, and real datagrams take it."""

import asyncio
import socket
from itertools import pairwise
from random import Random

import pytest

from bench.path import JITTER_HOLD_S, Path, Quality, issue_quality
from bench.relay import Relay

PACKETS = 20_000
INTERVAL_S = 0.003


def fates(quality: Quality, seed: int = 1) -> list[float | None]:
    path = Path(quality, Random(seed))
    return [path.fate(n * INTERVAL_S) for n in range(PACKETS)]


def test_a_perfect_path_changes_nothing() -> None:
    assert fates(Quality()) == [n * INTERVAL_S for n in range(PACKETS)]


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
def test_as_many_are_lost_as_asked_for(loss: float) -> None:
    lost = sum(at is None for at in fates(issue_quality(loss)))

    assert lost / PACKETS == pytest.approx(loss, rel=0.1)


def test_delay_has_its_bounds_and_jitter_alone_keeps_the_order() -> None:
    quality = Quality(delay_s=0.03, jitter_s=0.03)
    came = [at for at in fates(quality) if at is not None]

    delays = [at - n * INTERVAL_S for n, at in enumerate(came)]

    assert came == sorted(came)
    # A packet waits at most as long as the delay had fallen since the one before it.
    assert min(delays) >= 0.03
    assert max(delays) <= 0.06 + 1e-9
    assert max(delays) - min(delays) > 0.02
    assert JITTER_HOLD_S > INTERVAL_S


def test_as_many_are_overtaken_as_asked_for() -> None:
    came = [at for at in fates(Quality(delay_s=0.03, reordered=0.02)) if at is not None]

    overtaken = sum(after < before for before, after in pairwise(came))

    # One held back for less than the interval is overtaken by nobody.
    assert overtaken / PACKETS == pytest.approx(0.02 * (1 - INTERVAL_S / 0.02), rel=0.2)


def test_the_same_seed_is_the_same_fate_and_loss_does_not_move_the_rest() -> None:
    assert fates(issue_quality(0.1)) == fates(issue_quality(0.1))
    assert fates(issue_quality(0.1)) != fates(issue_quality(0.1), seed=2)
    lossless, lossy = fates(Quality(reordered=0.02)), fates(Quality(reordered=0.02, loss=0.1))
    assert all(a == b for a, b in zip(lossless, lossy, strict=True) if b is not None)


async def test_datagrams_of_two_clients_find_the_server_and_their_way_back() -> None:
    loop = asyncio.get_running_loop()
    server = opened()
    ann, bob = opened(), opened()
    relay = Relay(
        server.getsockname(),
        up=Quality(delay_s=0.02),
        down=Quality(delay_s=0.02),
        seed=1,
    )
    relay.start()
    try:
        began = loop.time()
        seen = {}
        for sock, word in ((ann, b"ann"), (bob, b"bob")):
            sock.sendto(word, relay.address)
            data, address = await asyncio.wait_for(loop.sock_recvfrom(server, 99), 5)
            assert data == word
            seen[word] = address
        assert len(set(seen.values())) == 2
        for word, address in seen.items():
            server.sendto(b"to " + word, address)
        assert await asyncio.wait_for(loop.sock_recv(ann, 99), 5) == b"to ann"
        assert await asyncio.wait_for(loop.sock_recv(bob, 99), 5) == b"to bob"
        assert loop.time() - began >= 0.06
        assert relay.counted() == {
            "passed up": 2,
            "lost up": 0,
            "passed down": 2,
            "lost down": 0,
        }
    finally:
        relay.close()
        for sock in (server, ann, bob):
            sock.close()


async def test_what_is_lost_does_not_arrive() -> None:
    loop = asyncio.get_running_loop()
    server, client = opened(), opened()
    relay = Relay(server.getsockname(), up=Quality(loss=0.5), down=Quality(), seed=3)
    relay.start()
    try:
        for n in range(100):
            client.sendto(bytes([n]), relay.address)
        came = []
        while (
            sum(relay.counted()[key] for key in ("passed up", "lost up")) < 100
            or len(came) < relay.counted()["passed up"]
        ):
            came += await asyncio.wait_for(loop.sock_recv(server, 99), 5)
        assert came == sorted(set(came))
        assert 30 < len(came) < 70
    finally:
        relay.close()
        server.close()
        client.close()


def opened() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock
