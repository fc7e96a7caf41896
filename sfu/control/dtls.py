"""One DTLS handshake and what SRTP needs of it (RFC 5763, RFC 5764, RFC 6347).

In: datagrams from a verified address. Out: datagrams to send, and once: keys or the reason
why there are none. OpenSSL works on memory; no sockets here. The certificate and the context
are made once per process. We are the passive end unless the offer is (ffmpeg's); the load
harness and cascade use the client role too.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from sfu.control.sdp import Fingerprint
from sfu.packet.srtp import Profile

MTU_BYTES = 1200
"""Largest datagram of a flight; OpenSSL fragments messages to fit."""
HANDSHAKE_S = 10.0
"""From the first check to keys; outcome when passed: the session closes, `handshake_timeout`."""
DATAGRAMS_IN_MAX = 64
"""Datagrams one handshake may take; more is abuse, outcome `handshake_flood`."""
HELLO_AGAIN_S = 0.03
"""A ClientHello is sent a second time after this: ffmpeg reads the first one only to learn that
it may begin, and would have us wait a second for OpenSSL's own timer."""
FLIGHT_BYTES_MAX = 64 * 1024
RECORD_HEADER_BYTES = 13
RECORDS_MAX = 256
"""More records than fit one datagram; reading ends before, at the first that is not there."""
EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
CERTIFICATE_DAYS = 30
DTLS_1_2 = 0xFEFD
"""The oldest version taken, as it stands in records (RFC 6347 section 4.1)."""

SERVER_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
)
CLIENT_CIPHERS = SERVER_CIPHERS + (
    b":ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
)
"""Servers with RSA certificates exist (GStreamer's), so a client must offer both."""
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha-512": hashes.SHA512,
    "sha-384": hashes.SHA384,
    "sha-256": hashes.SHA256,
}
"""Strongest first: it is the one that is checked (RFC 8122 section 5.1)."""


class Role(StrEnum):
    """Which end starts the handshake."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Keys:
    """What both directions of SRTP start from: key followed by salt."""

    profile: Profile
    local: bytes
    remote: bytes


class Certificate:
    """A fresh ECDSA P-256 key pair with a self-signed certificate.

    Args:
        at: the moment it is made, for its validity.

    """

    __slots__ = ("_certificate", "_key", "fingerprint")

    def __init__(self, *, at: datetime.datetime) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "liveroom")])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - datetime.timedelta(days=1))
            .not_valid_after(at + datetime.timedelta(days=CERTIFICATE_DAYS))
            .sign(self._key, hashes.SHA256())
        )
        digest = self._certificate.fingerprint(hashes.SHA256())
        self.fingerprint = Fingerprint("sha-256", digest)

    def context(
        self, role: Role = Role.SERVER, profiles: Sequence[Profile] = tuple(Profile)
    ) -> SSL.Context:
        """Build the context that all handshakes of one role share."""
        context = SSL.Context(
            SSL.DTLS_SERVER_METHOD if role is Role.SERVER else SSL.DTLS_CLIENT_METHOD
        )
        context.set_min_proto_version(DTLS_1_2)
        context.set_options(
            SSL.OP_NO_TICKET
            | SSL.OP_NO_QUERY_MTU
            | SSL.OP_NO_RENEGOTIATION
            | SSL.OP_CIPHER_SERVER_PREFERENCE
        )
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # 10 KiB a session that nobody would write into again.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # Who signed does not matter in WebRTC; the fingerprint is compared afterwards.
        context.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_verdict: True
        )
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_cipher_list(SERVER_CIPHERS if role is Role.SERVER else CLIENT_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(profile.encode() for profile in profiles))
        return context


class Dtls:
    """One association: a handshake, then only closing.

    Args:
        context: from `Certificate.context`, of the same role.
        fingerprints: what the other end's description says of its certificate.
        role: SERVER waits, CLIENT begins with `start`.

    """

    __slots__ = (
        "_connection",
        "_datagrams_in",
        "_fingerprints",
        "_hello",
        "_hello_again_at",
        "_retransmit_at",
        "closed",
        "failure",
        "keys",
        "role",
    )

    def __init__(
        self,
        context: SSL.Context,
        fingerprints: Sequence[Fingerprint],
        role: Role = Role.SERVER,
    ) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_ciphertext_mtu(MTU_BYTES)
        self._fingerprints = fingerprints
        self.role = role
        self._datagrams_in = 0
        self._retransmit_at: float | None = None
        self._hello: list[bytes] = []
        self._hello_again_at: float | None = None
        self.keys: Keys | None = None
        self.failure: str | None = None
        self.closed = False
        if role is Role.SERVER:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    def start(self, *, now: float) -> list[bytes]:
        """Return the client's first flight."""
        self._hello = self._advance(now)
        self._hello_again_at = now + HELLO_AGAIN_S
        return self._hello

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Take one datagram, return what to send; look at `keys`, `failure`, `closed` after."""
        if self.failure is not None or self.closed:
            return []
        if self.keys is None:
            self._datagrams_in += 1
            if self._datagrams_in > DATAGRAMS_IN_MAX:
                self.failure = "handshake_flood"
                return []
        self._hello_again_at = None
        self._connection.bio_write(data)
        return self._advance(now)

    def deadline(self) -> float | None:
        """Return when a flight is due again (RFC 6347 section 4.2.4), None when none is."""
        return self._retransmit_at if self._hello_again_at is None else self._hello_again_at

    def tick(self, *, now: float) -> list[bytes]:
        """Send the last flight again if it is due."""
        if self._hello_again_at is not None and now >= self._hello_again_at:
            self._hello_again_at = None
            return self._hello
        if self._retransmit_at is None or now < self._retransmit_at:
            return []
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error:
            self.failure = "handshake_timeout"
            self._retransmit_at = None
            return []
        return self._flight(now)

    def close(self) -> list[bytes]:
        """Say goodbye: return the close_notify alert, if there is anybody to hear it."""
        if self.keys is None or self.closed:
            return []
        self.closed = True
        try:
            self._connection.shutdown()
        except SSL.Error:
            return []
        return self._outgoing()

    def _advance(self, now: float) -> list[bytes]:
        try:
            if self.keys is None:
                self._connection.do_handshake()
                self._finish()
            if self.keys is not None:
                # Nobody sends data here; reading handles alerts and answers late handshakes.
                # It takes one record at a time, and what is left would pile up in memory.
                for _ in range(RECORDS_MAX):
                    self._connection.recv(FLIGHT_BYTES_MAX)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            if self.keys is None:
                self.failure = _reason(error)
            else:
                self.closed = True
        return self._flight(now)

    def _finish(self) -> None:
        name = self._connection.get_selected_srtp_profile().decode()
        if not self._peer_is_genuine():
            self.failure = "wrong_fingerprint"
        elif name not in tuple(Profile):
            self.failure = "no_srtp_profile"
        if self.failure is not None:
            self._connection.shutdown()
            return
        profile = Profile(name)
        key, salt = profile.key_bytes, profile.salt_bytes
        exported = self._connection.export_keying_material(EXPORTER_LABEL, 2 * (key + salt))
        # RFC 5764 section 4.2: client key, server key, client salt, server salt.
        client = exported[:key] + exported[2 * key : 2 * key + salt]
        server = exported[key : 2 * key] + exported[2 * key + salt :]
        local, remote = (server, client) if self.role is Role.SERVER else (client, server)
        self.keys = Keys(profile, local, remote)

    def _peer_is_genuine(self) -> bool:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return False
        for algorithm, make in HASHES.items():
            named = [one.value for one in self._fingerprints if one.algorithm == algorithm]
            if named:
                return certificate.fingerprint(make()) in named
        return False

    def _flight(self, now: float) -> list[bytes]:
        remaining = self._connection.DTLSv1_get_timeout() if self.failure is None else None
        self._retransmit_at = None if remaining is None else now + remaining
        return self._outgoing()

    def _outgoing(self) -> list[bytes]:
        parts = []
        try:
            while True:
                parts.append(self._connection.bio_read(FLIGHT_BYTES_MAX))
        except SSL.Error:
            # WantReadError: the memory is empty.
            pass
        return pack_records(b"".join(parts))


def pack_records(flight: bytes) -> list[bytes]:
    """Cut a flight at record borders into datagrams that fit the MTU.

    OpenSSL writes records one after the other into memory and forgets where each ended.
    """
    datagrams: list[bytes] = []
    start = at = 0
    while at + RECORD_HEADER_BYTES <= len(flight):
        size = RECORD_HEADER_BYTES + int.from_bytes(flight[at + 11 : at + 13], "big")
        if at + size - start > MTU_BYTES and at > start:
            datagrams.append(flight[start:at])
            start = at
        at += size
    if at > start:
        datagrams.append(flight[start:at])
    return datagrams


def _reason(error: SSL.Error) -> str:
    """Turn OpenSSL's error stack into a word for counters and logs."""
    stack = error.args[0] if error.args else None
    if isinstance(stack, list) and stack:
        last = str(stack[-1][-1]).strip().lower().replace(" ", "_")
        return f"dtls_{last}"[:64]
    return "dtls_error"
