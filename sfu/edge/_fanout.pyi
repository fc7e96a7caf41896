"""The compiled loop of `sfu.edge.native`; absent where no compiler was."""

from sfu.media.model import Packet

def send(
    descriptor: int,
    protect_rtp: int,
    protect_rtcp: int,
    jobs: tuple[
        tuple[
            tuple[bytes | None, ...],
            tuple[bytes, ...] | None,
            tuple[Packet, ...],
            tuple[bytes, ...],
        ],
        ...,
    ],
    segments: bool,
    first: int,
    /,
) -> tuple[int, int, int, int, int, int, int, int, int, list[tuple[int, int]]]:
    """Protect and send every job's packets, the interpreter's lock released.

    Args:
        descriptor: of a non-blocking datagram socket.
        protect_rtp: the address of libsrtp's `srtp_protect`.
        protect_rtcp: the address of `srtp_protect_rtcp`.
        jobs: packed routes (None: there is none), the numbers of each route's leg (None: the
            media bears its own), media, feedback. SRTP contexts must outlive the call, and
            nobody else may use them meanwhile.
        segments: whether to try segments at all.
        first: the route of each job to begin with; the others follow in a ring.

    Returns:
        Packets and bytes sent, packets dropped for a full buffer, errors, packets without a
        route, kernel calls, times segments were switched off, the job (-1: none) and its route
        that a full buffer stopped at, the jobs and routes whose address refused segments.

    Raises:
        TypeError: an argument has another type; nothing was sent.
        ValueError: a header is shorter than 12 bytes, numbers are not 10, an address is null.

    """
