"""The compiled loop of `sfu.edge.native`; absent where no compiler was."""

from sfu.media.model import Packet

def send(
    descriptor: int,
    protect_rtp: int,
    protect_rtcp: int,
    jobs: tuple[
        tuple[bytes, int, tuple[Packet, ...], tuple[bytes, ...], tuple[bytes, ...], bool], ...
    ],
    segments: bool,
    first: int,
    /,
) -> tuple[int, int, int, int, int, int, int, list[int]]:
    """Protect and send every job's packets, the interpreter's lock released.

    Args:
        descriptor: of a non-blocking datagram socket.
        protect_rtp: the address of libsrtp's `srtp_protect`.
        protect_rtcp: the address of `srtp_protect_rtcp`.
        jobs: address as the kernel has it (empty: the socket is connected), address of the
            SRTP context, media, feedback, SSRCs that may be padded, whether to try segments.
            Contexts must outlive the call, and nobody else may use them meanwhile.
        segments: whether to try segments at all.
        first: the job to begin with; the others follow in a ring.

    Returns:
        Packets and bytes sent, packets dropped for a full buffer, errors, kernel calls, times
        segments were switched off, the job a full buffer stopped at (-1: none), the jobs whose
        address refused segments.

    Raises:
        TypeError: an argument has another type; nothing was sent.
        ValueError: a header is shorter than 12 bytes, an SSRC not 4, an address is null.

    """
