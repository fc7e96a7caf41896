"""SRTP and SRTCP of one session over libsrtp (RFC 3711, RFC 7714).

In: plain or protected packets. Out: the other form, or None for a packet that is forged,
replayed, malformed or too long; the caller counts. Not thread-safe: one owner per object.
State is per SSRC inside libsrtp, so the number of inbound SSRCs has a bound.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, Final

from pylibsrtp import Error, Policy, Session

try:
    from pylibsrtp._binding import ffi as _ffi
    from pylibsrtp._binding import lib as _lib
except ImportError:  # another pylibsrtp: no addresses, everything else works
    _ffi = _lib = None

REPLAY_WINDOW_PACKETS: Final = 1024
INBOUND_SSRCS_MAX: Final = 64
"""Authenticated SSRCs remembered per session; packets of further ones are refused."""
DATAGRAM_BYTES_MAX: Final = 1472
"""What an Ethernet path carries in one piece: 1,500 bytes less the IPv4 and UDP headers."""
TAG_BYTES_MAX: Final = 16
"""What our profiles add to an RTP packet: GCM's tag (RFC 7714); SHA1-80 adds 10."""
PLAIN_BYTES_MAX: Final = DATAGRAM_BYTES_MAX - TAG_BYTES_MAX
"""The longest RTP packet we send; longer ones are refused. GStreamer makes 1,400 bytes of them."""
PROTECTING_TYPE: Final = "srtp_err_status_t(*)(struct srtp_ctx_t_ *, void *, int *)"
"""How libsrtp 2 declares what the native fan-out calls; libsrtp 3 takes more arguments."""


class Profile(StrEnum):
    """The protection profiles we negotiate, the first preferred (RFC 5764 names)."""

    AEAD_AES_128_GCM = "SRTP_AEAD_AES_128_GCM"
    AES_CM_128_HMAC_SHA1_80 = "SRTP_AES128_CM_SHA1_80"

    @property
    def key_bytes(self) -> int:
        """Length of the master key."""
        return 16

    @property
    def salt_bytes(self) -> int:
        """Length of the master salt."""
        return 12 if self is Profile.AEAD_AES_128_GCM else 14


_LIBSRTP_PROFILE = {
    Profile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Profile.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class Srtp:
    """Both directions of one session.

    Args:
        profile: what DTLS negotiated.
        local_key: master key followed by master salt, for what we send.
        remote_key: the same for what we receive.

    """

    __slots__ = (
        "_direct",
        "_inbound",
        "_inbound_ssrcs",
        "_outbound",
        "outbound_context",
        "profile",
    )

    def __init__(self, profile: Profile, local_key: bytes, remote_key: bytes) -> None:
        self.profile = profile
        self._outbound = _session(profile, local_key, Policy.SSRC_ANY_OUTBOUND)
        self._inbound = _session(profile, remote_key, Policy.SSRC_ANY_INBOUND)
        self._inbound_ssrcs: set[bytes] = set()
        self._direct = _direct_call(self._outbound)
        self.outbound_context = _address(self._outbound)
        """Where libsrtp keeps what `protect_*` uses, while this object lives; 0: not known."""

    def protect_rtp(self, packet: bytes) -> bytes | None:
        """Protect an RTP packet.

        The same sequence number may be sent again only with the very same bytes: a nonce
        repeated over other bytes would break AES-GCM.
        """
        direct, size = self._direct, len(packet)
        if size > PLAIN_BYTES_MAX:
            return None
        if direct is None:
            return _attempt(self._outbound.protect, packet)
        # What `Session.protect` does, without a new length cell for each packet, and without
        # its bound: it leaves 144 bytes for a trailer of which our profiles use 16.
        context, buffer, memory, length = direct
        memory[0:size] = packet
        length[0] = size
        if _lib.srtp_protect(context, buffer, length) != 0:
            return None
        wire: bytes = memory[0 : length[0]]
        return wire

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """Protect a compound RTCP packet."""
        return _attempt(self._outbound.protect_rtcp, packet)

    def unprotect_rtp(self, packet: bytes) -> bytes | None:
        """Verify and decrypt an RTP packet."""
        return self._receive(self._inbound.unprotect, packet, packet[8:12])

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Verify and decrypt a compound RTCP packet."""
        return self._receive(self._inbound.unprotect_rtcp, packet, packet[4:8])

    def _receive(
        self, unprotect: Callable[[bytes], bytes], packet: bytes, ssrc: bytes
    ) -> bytes | None:
        known = self._inbound_ssrcs
        if ssrc in known:
            return _attempt(unprotect, packet)
        if len(known) >= INBOUND_SSRCS_MAX:
            return None
        plain = _attempt(unprotect, packet)
        if plain is not None:
            known.add(ssrc)
        return plain


def _session(profile: Profile, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=_LIBSRTP_PROFILE[profile])
    policy.allow_repeat_tx = True
    policy.window_size = REPLAY_WINDOW_PACKETS
    return Session(policy=policy)


def _attempt(operation: Callable[[bytes], bytes], packet: bytes) -> bytes | None:
    try:
        return operation(packet)
    except (Error, ValueError):
        return None


@cache
def protecting_functions() -> tuple[int, int] | None:
    """Return the addresses of libsrtp's functions for RTP and RTCP; None if they do not fit.

    They take a context's address, a packet and its length, as `PROTECTING_TYPE` says.
    """
    if _ffi is None or _lib is None:
        return None
    found = []
    for name in ("srtp_protect", "srtp_protect_rtcp"):
        try:
            function = _ffi.addressof(_lib, name)
        except (AttributeError, TypeError):
            return None
        if _ffi.typeof(function).cname != PROTECTING_TYPE:
            return None
        found.append(int(_ffi.cast("uintptr_t", function)))
    return found[0], found[1]


def _direct_call(session: Session) -> tuple[Any, Any, Any, Any] | None:
    """Return context, buffer, the buffer's memory and a length cell; None: pylibsrtp differs."""
    if protecting_functions() is None:
        return None
    try:
        if len(session._cdata) < DATAGRAM_BYTES_MAX:
            return None
        return session._srtp[0], session._cdata, session._buffer, _ffi.new("int *")
    except (AttributeError, TypeError):
        return None


def _address(session: Session) -> int:
    if _ffi is None:
        return 0
    try:
        return int(_ffi.cast("uintptr_t", session._srtp[0]))
    except (AttributeError, TypeError):
        return 0
