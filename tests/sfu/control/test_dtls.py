"""Handshakes in memory: keys for the genuine, a reason for everybody else."""

import datetime
import threading
import time
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from sfu.control.dtls import (
    DATAGRAMS_IN_MAX,
    HELLO_AGAIN_S,
    MTU_BYTES,
    Certificate,
    Dtls,
    Role,
    pack_records,
)
from sfu.control.sdp import Fingerprint
from sfu.packet.srtp import Profile

AT = datetime.datetime.now(datetime.UTC)
SERVER, CLIENT = Certificate(at=AT), Certificate(at=AT)
SERVER_CONTEXT = SERVER.context()
NOBODY = Fingerprint("sha-256", bytes(32))


def pair(
    profiles: Sequence[Profile] = tuple(Profile),
    *,
    expected_client: Sequence[Fingerprint] = (CLIENT.fingerprint,),
    expected_server: Sequence[Fingerprint] = (SERVER.fingerprint,),
) -> tuple[Dtls, Dtls]:
    server = Dtls(SERVER_CONTEXT, expected_client)
    return server, Dtls(CLIENT.context(Role.CLIENT, profiles), expected_server, Role.CLIENT)


def shake(server: Dtls, client: Dtls) -> None:
    """Carry datagrams to and fro until both are quiet."""
    flight = client.start(now=0)
    while flight:
        back = [reply for datagram in flight for reply in server.receive(datagram, now=0)]
        flight = [reply for datagram in back for reply in client.receive(datagram, now=0)]


@pytest.mark.parametrize("profile", list(Profile))
def test_both_ends_get_matching_keys(profile: Profile) -> None:
    server, client = pair((profile,))
    shake(server, client)
    assert server.keys is not None
    assert client.keys is not None
    assert server.keys.profile is client.keys.profile is profile
    assert (server.keys.local, server.keys.remote) == (client.keys.remote, client.keys.local)
    assert len(server.keys.local) == profile.key_bytes + profile.salt_bytes


def test_the_server_prefers_gcm() -> None:
    server, client = pair(tuple(reversed(Profile)))
    shake(server, client)
    assert server.keys is not None
    assert server.keys.profile is Profile.AEAD_AES_128_GCM


def test_a_wrong_client_certificate_gets_no_keys() -> None:
    server, client = pair(expected_client=(NOBODY,))
    shake(server, client)
    assert (server.keys, server.failure) == (None, "wrong_fingerprint")


def test_a_wrong_server_certificate_gets_no_keys() -> None:
    server, client = pair(expected_server=(NOBODY,))
    shake(server, client)
    assert (client.keys, client.failure) == (None, "wrong_fingerprint")


def test_the_strongest_hash_decides() -> None:
    weaker_only_right = (Fingerprint("sha-512", bytes(64)), CLIENT.fingerprint)
    server, client = pair(expected_client=weaker_only_right)
    shake(server, client)
    assert server.failure == "wrong_fingerprint"


def test_any_fingerprint_of_one_hash_will_do() -> None:
    server, client = pair(expected_client=(NOBODY, CLIENT.fingerprint))
    shake(server, client)
    assert server.keys is not None


def test_no_common_profile_is_a_failure_with_a_reason() -> None:
    context = CLIENT.context(Role.CLIENT)
    context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_256_GCM")
    server = Dtls(SERVER_CONTEXT, [CLIENT.fingerprint])
    shake(server, Dtls(context, [SERVER.fingerprint], Role.CLIENT))
    assert (server.keys, server.failure) == (None, "no_srtp_profile")


def rsa_context(role: Role) -> tuple[SSL.Context, Fingerprint]:
    """Build what GStreamer presents: a self-signed RSA certificate."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rsa")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(AT)
        .not_valid_after(AT + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = CLIENT.context(role)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    if role is Role.SERVER:
        context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    return context, Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()))


def test_clients_with_rsa_certificates_are_taken() -> None:
    context, fingerprint = rsa_context(Role.CLIENT)
    server = Dtls(SERVER_CONTEXT, [fingerprint])
    shake(server, Dtls(context, [SERVER.fingerprint], Role.CLIENT))
    assert server.keys is not None


def test_as_client_we_take_servers_with_rsa_certificates() -> None:
    context, fingerprint = rsa_context(Role.SERVER)
    client = Dtls(CLIENT.context(Role.CLIENT), [fingerprint], Role.CLIENT)
    shake(Dtls(context, [CLIENT.fingerprint]), client)
    assert client.keys is not None


def test_old_ciphers_are_refused_with_a_reason() -> None:
    context = CLIENT.context(Role.CLIENT)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    server = Dtls(SERVER_CONTEXT, [CLIENT.fingerprint])
    shake(server, Dtls(context, [SERVER.fingerprint], Role.CLIENT))
    assert server.keys is None
    assert server.failure is not None
    assert server.failure.startswith("dtls_")


def test_rubbish_is_dropped_until_it_is_a_flood() -> None:
    server, client = pair()
    for _ in range(5):
        assert server.receive(b"\x16\xfe\xfd" + bytes(60), now=0) == []
    assert server.failure is None
    shake(server, client)
    assert server.keys is not None
    flooded, _ = pair()
    for _ in range(DATAGRAMS_IN_MAX + 1):
        flooded.receive(b"\x16\xfe\xfd" + bytes(60), now=0)
    assert flooded.failure == "handshake_flood"


def test_a_hello_is_sent_again_soon_once() -> None:
    _, client = pair()
    hello = client.start(now=100)
    assert client.deadline() == 100 + HELLO_AGAIN_S
    assert client.tick(now=100) == []
    assert client.tick(now=100 + HELLO_AGAIN_S) == hello
    assert client.deadline() is not None
    assert client.deadline() > 100 + HELLO_AGAIN_S
    assert client.tick(now=100 + HELLO_AGAIN_S) == []


def test_a_server_has_no_deadline_before_it_is_asked() -> None:
    server, _ = pair()
    assert server.deadline() is None
    assert server.tick(now=1e9) == []


def test_closing_is_heard() -> None:
    server, client = pair()
    shake(server, client)
    for datagram in server.close():
        client.receive(datagram, now=0)
    assert client.closed
    assert server.close() == []


def test_records_after_the_handshake_do_not_pile_up() -> None:
    server, client = pair()
    shake(server, client)
    for _ in range(3):
        client._connection.send(b"x" * 10)
    many = b"".join(client._outgoing())
    assert server.receive(many, now=0) == []
    assert server._connection.pending() == 0
    for datagram in client.close():
        server.receive(datagram, now=0)
    assert server.closed


def test_flights_are_cut_at_records_to_fit_the_mtu() -> None:
    records = [
        b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size)
        for size in (500, 600, 200, 1187, 10)
    ]
    datagrams = pack_records(b"".join(records))
    assert b"".join(datagrams) == b"".join(records)
    assert [len(datagram) for datagram in datagrams] == [1126, 213, 1200, 23]
    assert max(map(len, datagrams)) <= MTU_BYTES


def test_a_flight_cut_short_loses_only_its_end() -> None:
    assert pack_records(b"") == []
    assert pack_records(b"\x16" * 5) == []


@pytest.mark.slow
@pytest.mark.parametrize("lost", range(4))
def test_any_lost_flight_is_made_good(lost: int) -> None:
    """OpenSSL measures its timers by the real clock, so this waits for it."""
    server, client = pair()
    carried = 0
    queue = [(server, datagram) for datagram in client.start(now=time.monotonic())]
    deadline = time.monotonic() + 8
    while server.keys is None or client.keys is None:
        assert time.monotonic() < deadline, "the handshake did not recover"
        if not queue:
            threading.Event().wait(0.02)
            now = time.monotonic()
            queue = [(client, datagram) for datagram in server.tick(now=now)]
            queue += [(server, datagram) for datagram in client.tick(now=now)]
            continue
        to, datagram = queue.pop(0)
        carried += 1
        if carried == lost + 1:
            continue
        other = client if to is server else server
        queue += [(other, reply) for reply in to.receive(datagram, now=time.monotonic())]
    assert server.keys.local == client.keys.remote
