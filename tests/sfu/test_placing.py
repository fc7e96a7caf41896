"""Slots by user, at a running media server: seats, mutes, swaps, and stages of their own."""

import re

from sfu.app import MediaEvent
from tests.sfu.conftest import Server
from tests.sfu.raw_peer import RawPeer, offer_text, rtp, until

KEY = b"\x10\x00\x00"
SLOTS = ("video", "audio", "video", "audio")


async def guest_of(server: Server, user: str = "g", role: str = "guest") -> RawPeer:
    peer, _ = await server.open("whip", user=user, role=role, peer=RawPeer())
    await peer.connect()
    return peer


async def stage_viewer(server: Server, user: str = "v") -> RawPeer:
    peer, _ = await server.open("whep", user=user, role="viewer", media=SLOTS)
    await peer.connect()
    return peer


def slots_of(peer: RawPeer) -> dict[int, int]:
    """Read from the answer which SSRC is which slot's video."""
    found = re.findall(r"a=ssrc:(\d+) msid:slot-(\d+) slot-\d+-video", peer.answer)
    first: dict[int, int] = {}
    for ssrc, slot in found:
        first.setdefault(int(slot), int(ssrc))
    return first


async def seen(peer: RawPeer) -> tuple[int, bytes]:
    """Wait for a packet; return its slot and what it says."""
    packet = await peer.receive_rtp()
    ssrc = int.from_bytes(packet[8:12], "big")
    slot = next(slot for slot, known in slots_of(peer).items() if known == ssrc)
    return slot, packet.rpartition(KEY)[2]


async def test_a_guest_is_seen_on_their_slot_without_any_new_offer(server: Server) -> None:
    host, _ = await server.publisher("h")
    viewer = await stage_viewer(server)
    server.media.show("r1", 1, ("r1", "g"))
    guest = await guest_of(server)
    host.send_rtp(rtp(1, payload=KEY + b"host"))
    assert await seen(viewer) == (0, b"host")
    guest.send_rtp(rtp(1, payload=KEY + b"guest"))
    assert await seen(viewer) == (1, b"guest")
    assert [e.user for e in server.events if e.kind == "live"] == ["h", "g"]


async def test_a_wish_waits_for_its_publisher_and_survives_their_coming_back(
    server: Server,
) -> None:
    viewer = await stage_viewer(server)
    server.media.show("r1", 1, ("r1", "g"))
    for number in (1, 500):
        guest = await guest_of(server)
        guest.send_rtp(rtp(number, payload=KEY + b"%d" % number))
        assert await seen(viewer) == (1, b"%d" % number)


async def test_without_a_wish_a_guest_is_seen_nowhere(server: Server) -> None:
    await stage_viewer(server)
    guest = await guest_of(server)
    server.media.show("r1", 1, ("r1", "g"))
    server.media.forget("r1", 1)
    guest.send_rtp(rtp(1))
    await until(lambda: server.media.stats().engine.packets_in == 1, "the packet came in")
    assert server.media.stats().engine.packets_out == 0


async def test_host_and_guest_change_places_and_back(server: Server) -> None:
    host, _ = await server.publisher("h")
    viewer = await stage_viewer(server)
    guest = await guest_of(server)
    server.media.show("r1", 0, ("r1", "g"))
    server.media.show("r1", 1, ("r1", "h"))
    host.send_rtp(rtp(1, payload=KEY + b"host"))
    assert await seen(viewer) == (1, b"host")
    guest.send_rtp(rtp(1, payload=KEY + b"guest"))
    assert await seen(viewer) == (0, b"guest")
    again, _ = await server.publisher("h")
    again.send_rtp(rtp(700, payload=KEY + b"again"))
    assert await seen(viewer) == (1, b"again"), "who comes back stands where they stood"
    server.media.forget("r1", 1)
    server.media.forget("r1", 0)
    again.send_rtp(rtp(701, payload=KEY + b"home"))
    assert await seen(viewer) == (0, b"home")


async def test_the_host_of_another_room_is_seen_in_this_one(server: Server) -> None:
    rival, _ = await server.publisher("h")
    reply = await stage_viewer_in(server, "r2")
    server.media.show("r2", 1, ("r1", "h"))
    rival.send_rtp(rtp(1, payload=KEY + b"rival"))
    assert await seen(reply) == (1, b"rival")


async def stage_viewer_in(server: Server, room: str) -> RawPeer:
    peer = RawPeer()
    server.peers.append(peer)
    body = offer_text(direction="recvonly", media=SLOTS)
    answer = await server.ask("whep", user="v", role="viewer", room=room, body=body)
    assert answer.status == 201, answer
    peer.answer = answer.body.decode()
    await peer.connect()
    return peer


async def test_a_muted_guest_is_not_forwarded_and_then_is_again(server: Server) -> None:
    viewer = await stage_viewer(server)
    guest = await guest_of(server)
    server.media.show("r1", 1, ("r1", "g"), video=False)
    guest.send_rtp(rtp(1, payload=KEY + b"unseen"))
    await until(lambda: server.media.stats().engine.packets_in == 1, "the packet came in")
    assert server.media.stats().engine.packets_out == 0
    server.media.show("r1", 1, ("r1", "g"))
    guest.send_rtp(rtp(2, payload=KEY + b"seen"))
    assert await seen(viewer) == (1, b"seen")


async def test_a_private_call_is_seen_by_its_two_and_by_nobody_else(server: Server) -> None:
    host, _ = await server.publisher("h")
    guest = await guest_of(server)
    invited, other = await stage_viewer(server, "g"), await stage_viewer(server, "v")
    server.media.show("r1", 0, None)
    server.media.gather("r1", frozenset({"h", "g"}), "r1/private")
    server.media.show("r1/private", 0, ("r1", "h"))
    server.media.show("r1/private", 1, ("r1", "g"))
    host.send_rtp(rtp(1, payload=KEY + b"for you"))
    guest.send_rtp(rtp(1, payload=KEY + b"for me"))
    assert {await seen(invited), await seen(invited)} == {(0, b"for you"), (1, b"for me")}
    late = await stage_viewer(server, "g")
    host.send_rtp(rtp(2, payload=KEY + b"back in"))
    while (await seen(late))[1] != b"back in":
        pass
    server.media.dismiss("r1")
    for slot in (0, 1):
        server.media.forget("r1/private", slot)
    server.media.forget("r1", 0)
    host.send_rtp(rtp(3, payload=KEY + b"for all"))
    slot, said = await seen(other)
    assert (slot, said) == (0, b"for all"), "nothing of the call came before"


async def test_who_speaks_is_told_with_room_and_user(server: Server) -> None:
    level = ("a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level",)
    await server.publisher("h")
    guest, _ = await server.open("whip", user="g", role="guest", peer=RawPeer(), extra=level)
    await guest.connect()
    server.media.show("r1", 1, ("r1", "g"))

    def told() -> list[MediaEvent]:
        return [event for event in server.events if event.kind == "speaker"]

    sequence = 0

    def speak() -> bool:
        nonlocal sequence
        sequence += 1
        head = (
            bytes((0x90, 111)) + sequence.to_bytes(2, "big") + (sequence * 960).to_bytes(4, "big")
        )
        extension = bytes.fromhex("bede0001") + bytes((0x20, 0x80 | 20, 0, 0))
        guest.send_rtp(head + (77).to_bytes(4, "big") + extension + b"sound")
        return bool(told())

    await until(speak, "the guest speaks")
    assert (told()[0].room, told()[0].user) == ("r1", "g")
