"""What the socket believes, over real packets: nothing that is not authenticated."""

import asyncio
import secrets
import socket

import pytest

from sfu.app import Media
from sfu.config import MediaConfig
from sfu.control.dtls import Dtls, Role
from sfu.edge import sender
from sfu.edge.native import SWITCH
from sfu.edge.udp import SOCKET_BUFFER_BYTES, open_socket
from sfu.packet.srtp import Profile
from tests.sfu.conftest import Server
from tests.sfu.raw_peer import CERTIFICATE, RawPeer, new_socket, rtp, until

BURST = 120
HANDSHAKES = 200
STRANGERS = 100


async def test_media_goes_from_publisher_to_viewer(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00first"))
    assert (await viewer.receive_rtp()).endswith(b"first")


@pytest.mark.parametrize("fanout", ["python", "best"])
async def test_a_burst_reaches_every_viewer_whole_and_in_order(
    monkeypatch: pytest.MonkeyPatch, fanout: str
) -> None:
    """Large batches go through the sender's thread where there is a native fan-out."""
    monkeypatch.setenv(SWITCH, fanout)
    monkeypatch.setattr(sender, "INLINE_PACKETS_MAX", BURST // 10)
    media = Media(MediaConfig(), on_event=lambda _event: None)
    await media.start()
    server = Server(media)
    try:
        host, _ = await server.publisher()
        viewers = [(await server.viewer(f"v{number}"))[0] for number in range(3)]
        for number in range(BURST):
            host.send_rtp(rtp(number + 1, payload=b"\x10\x00\x00" + bytes([number]) * 900))
        for viewer in viewers:
            seen = [(await viewer.receive_rtp())[-1] for _ in range(BURST)]
            assert seen == list(range(BURST))
    finally:
        await media.close()
        for peer in server.peers:
            peer.close()


@pytest.mark.parametrize("profile", list(Profile))
async def test_both_protection_profiles_carry_media(server: Server, profile: Profile) -> None:
    host, _ = await server.open("whip", user="h", role="host", peer=RawPeer(profiles=(profile,)))
    await host.connect()
    viewer, _ = await server.viewer()
    assert host.srtp is not None
    assert host.srtp.profile is profile
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00packet"))
    assert (await viewer.receive_rtp()).endswith(b"packet")


async def test_gcm_is_chosen_when_both_are_offered(server: Server) -> None:
    peer = RawPeer(profiles=(Profile.AES_CM_128_HMAC_SHA1_80, Profile.AEAD_AES_128_GCM))
    await server.open("whip", user="h", role="host", peer=peer)
    await peer.connect()
    assert peer.srtp is not None
    assert peer.srtp.profile is Profile.AEAD_AES_128_GCM


async def test_forged_checks_get_no_reply(server: Server) -> None:
    peer, _ = await server.open("whip", user="h", role="host")
    for _ in range(100):
        peer.send(peer.check(password="x" * 32))
    peer.ufrag = "else"
    peer.send(peer.check())
    peer.send(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
    await until(
        lambda: server.dropped("stun_not_authentic") == 101 and server.dropped("stun_not_a_check"),
        "all forgeries counted",
    )
    assert await peer.is_silent()


async def test_client_hello_from_an_unverified_address_is_dropped(server: Server) -> None:
    peer, _ = await server.open("whip", user="h", role="host")
    hello = Dtls(CERTIFICATE.context(Role.CLIENT), [], Role.CLIENT).start(now=0)
    stranger = new_socket()
    try:
        for datagram in hello:
            stranger.sendto(datagram, peer.server)
        await until(lambda: server.dropped("dtls_unverified_address"), "the hello was counted")
    finally:
        stranger.close()
    await peer.connect()
    assert peer.srtp is not None


@pytest.mark.slow
async def test_handshakes_all_succeed_while_strangers_spray_hellos(server: Server) -> None:
    """The ClientHello race: a hello from elsewhere must not begin, change or end a handshake."""
    peers = [(await server.open("whep", user=f"v{n}", role="viewer"))[0] for n in range(HANDSHAKES)]
    context = CERTIFICATE.context(Role.CLIENT)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    hello = Dtls(context, [], Role.CLIENT).start(now=0)[0]
    strangers = [new_socket() for _ in range(STRANGERS)]

    async def spray() -> None:
        while True:
            for stranger in strangers:
                stranger.sendto(hello, peers[0].server)
            await asyncio.sleep(0.005)

    spraying = asyncio.create_task(spray())
    try:
        for start in range(0, HANDSHAKES, 10):
            await asyncio.gather(*(peer.connect() for peer in peers[start : start + 10]))
    finally:
        spraying.cancel()
        for stranger in strangers:
            stranger.close()
    await until(
        lambda: server.media.stats().by_state.get("play_connected") == HANDSHAKES, "all connected"
    )
    assert server.dropped("dtls_unverified_address") > STRANGERS


async def test_media_from_another_address_is_not_forwarded(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00one"))
    await viewer.receive_rtp()
    assert host.srtp is not None
    packet = host.srtp.protect_rtp(rtp(2, payload=b"\x10\x00\x00two"))
    assert packet is not None
    stranger = new_socket()
    try:
        stranger.sendto(packet, host.server)
        await until(lambda: server.dropped("media_unverified_address"), "the packet was counted")
    finally:
        stranger.close()
    host.send_rtp(rtp(3, payload=b"\x10\x00\x00three"))
    assert (await viewer.receive_rtp()).endswith(b"three")


async def test_a_replayed_packet_is_forwarded_once(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    assert host.srtp is not None
    packet = host.srtp.protect_rtp(rtp(1, payload=b"\x10\x00\x00one"))
    assert packet is not None
    for _ in range(10):
        host.send(packet)
    assert (await viewer.receive_rtp()).endswith(b"one")
    await until(lambda: server.dropped("srtp_refused") == 9, "nine replays refused")
    host.send_rtp(rtp(2, payload=b"\x10\x00\x00two"))
    assert (await viewer.receive_rtp()).endswith(b"two")


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\x80", b"\x16", b"\x00", b"\xff" * 1400, b"\x80\xc8" + bytes(6), b"\x16" + bytes(40)],
    ids=["empty", "one-rtp", "one-dtls", "one-stun", "foreign", "rtcp", "dtls"],
)
async def test_rubbish_ends_no_session(server: Server, datagram: bytes) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    for _ in range(3):
        host.send(datagram)
        viewer.send(datagram)
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00alive"))
    assert (await viewer.receive_rtp()).endswith(b"alive")
    assert server.media.sessions("r1") == 2


async def test_random_datagrams_end_no_session(server: Server) -> None:
    host, _ = await server.publisher()
    for size in range(0, 1500, 7):
        host.send(secrets.token_bytes(size))
    await host.check_until_answered()
    assert server.media.sessions("r1") == 1
    assert server.dropped("internal") == 0


async def test_wrong_fingerprint_gets_no_keys_and_is_named(server: Server) -> None:
    other = type(CERTIFICATE.fingerprint)("sha-256", bytes(32))
    peer, _ = await server.open("whip", user="h", role="host", fingerprint=other)
    await peer.check_until_answered()
    shaking = asyncio.create_task(peer.handshake())
    await until(lambda: server.dropped("wrong_fingerprint"), "the handshake was refused")
    shaking.cancel()
    await asyncio.gather(shaking, return_exceptions=True)
    assert server.dropped("wrong_fingerprint") == 1
    assert server.events[-1].detail["reason"] == "wrong_fingerprint"
    assert server.media.sessions() == 0


async def test_a_viewer_moves_with_an_authenticated_check(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00one"))
    await viewer.receive_rtp()
    old, viewer.sock = viewer.sock, new_socket()
    try:
        await viewer.check_until_answered(nominate=True)
        host.send_rtp(rtp(2, payload=b"\x10\x00\x00two"))
        assert (await viewer.receive_rtp()).endswith(b"two")
    finally:
        old.close()


async def test_a_passive_peer_is_called(server: Server) -> None:
    """ffmpeg's publisher offers setup:passive and waits for our ClientHello."""
    peer, _ = await server.open("whip", user="h", role="host", setup="passive")
    assert peer.attribute("setup") == "active"
    await peer.check_until_answered()
    algorithm, value = peer.attribute("fingerprint").split()
    fingerprint = type(CERTIFICATE.fingerprint)(algorithm, bytes.fromhex(value.replace(":", "")))
    end = Dtls(CERTIFICATE.context(Role.SERVER), [fingerprint])
    while end.keys is None:
        for datagram in end.receive(await peer.receive(), now=0):
            peer.send(datagram)
    await until(lambda: server.media.stats().by_state.get("publish_connected") == 1, "connected")


async def test_join_steps_are_told(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    host.send_rtp(rtp(1))
    await viewer.receive_rtp()
    assert [step for step, _ in server.steps].count("ice") == 2
    assert [step for step, _ in server.steps].count("dtls") == 2
    assert "first_packet" in [step for step, _ in server.steps]
    assert all(0 <= seconds < 5 for _, seconds in server.steps)


async def test_a_bug_in_one_datagram_is_counted_logged_once_and_harms_nobody(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()

    def broken(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(server.media._desk, "receive_check", broken)
    for _ in range(3):
        host.send(host.check())
    await until(lambda: server.dropped("internal") == 3, "three bugs counted")
    assert len([record for record in caplog.records if record.exc_info]) == 1
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00alive"))
    assert (await viewer.receive_rtp()).endswith(b"alive")


def test_the_socket_has_buffers_as_large_as_the_kernel_allows() -> None:
    plain = new_socket()
    made = open_socket("127.0.0.1", 0)
    try:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            plain.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
            assert made.getsockopt(socket.SOL_SOCKET, option) >= plain.getsockopt(
                socket.SOL_SOCKET, option
            )
    finally:
        plain.close()
        made.close()


def test_a_taken_port_is_an_error_and_leaks_nothing() -> None:
    taken = open_socket("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match="in use"):
            open_socket("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()
