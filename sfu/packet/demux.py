"""Say what a datagram is by its first bytes (RFC 7983, RFC 5761), before anything is believed.

In: one datagram. Out: its kind. This is a sieve, not a judgement: a datagram that looks like
SRTP may still be forged. Must not know addresses, sessions or keys.
"""

from enum import IntEnum

STUN_BYTES_MIN = 20
DTLS_BYTES_MIN = 13
RTP_BYTES_MIN = 12
RTCP_BYTES_MIN = 8


class Kind(IntEnum):
    """What a datagram looks like."""

    UNKNOWN = 0
    STUN = 1
    DTLS = 2
    RTP = 3
    RTCP = 4


def demux(data: bytes) -> Kind:
    """Tell the kind of a datagram; empty, short and foreign ones are UNKNOWN."""
    size = len(data)
    if size < RTCP_BYTES_MIN:
        return Kind.UNKNOWN
    first = data[0]
    if 128 <= first <= 191:
        # RFC 5761 section 4: 192..223 in the second byte is RTCP, so RTP avoids types 64..95.
        if 192 <= data[1] <= 223:
            return Kind.RTCP
        return Kind.RTP if size >= RTP_BYTES_MIN else Kind.UNKNOWN
    if first <= 3:
        return Kind.STUN if size >= STUN_BYTES_MIN else Kind.UNKNOWN
    if 20 <= first <= 63:
        return Kind.DTLS if size >= DTLS_BYTES_MIN else Kind.UNKNOWN
    return Kind.UNKNOWN
