"""The arithmetic of sender and receiver reports (RFC 3550 section 6.4, appendix A).

In: arrivals, the other side's reports, our time. Out: report blocks, round trips and the
media time that belongs to a wall-clock moment. NTP timestamps are 64-bit integers that
wrap in 2036; every difference here is taken across the wrap. Properties change nothing:
what starts a new interval is called `take`.
"""

from typing import final

from sfu.packet.rewrite import timestamp_ahead
from sfu.packet.rtcp import ReportBlock

CLOCK_FOLLOW_NTP = (1 << 32) // 1000
"""How far the estimate of a sender's clock may rise per report (1 ms): delay is not skew."""
CLOCK_TRUST_S = 5.0
"""A sender's report further from its packets than this is not believed."""
ROUND_TRIP_MAX_S = 10.0
"""A longer round trip is a mistake of the other side."""

_NTP_MASK = 0xFFFFFFFFFFFFFFFF
_COMPACT_MASK = 0xFFFFFFFF


def ntp_ahead(ntp: int, other: int) -> int:
    """Return the difference of two NTP timestamps in units of 2**-32 s, across a wrap."""
    ahead = (ntp - other) & _NTP_MASK
    return ahead - (1 << 64) if ahead >> 63 else ahead


def compact(ntp: int) -> int:
    """Return the middle 32 bits, as report blocks carry them."""
    return (ntp >> 16) & _COMPACT_MASK


def round_trip_s(block: ReportBlock, *, at_ntp: int) -> float | None:
    """Return the round trip a block reveals (RFC 3550 section 6.4.1); None when it does not."""
    if not block.last_report:
        return None
    units = (compact(at_ntp) - block.last_report - block.delay) & _COMPACT_MASK
    if units >> 31:
        # The other side's delay is rounded: a hair below zero is a very short path.
        return 0.0 if (1 << 32) - units < 1 << 12 else None
    seconds = units / 65536
    return seconds if seconds <= ROUND_TRIP_MAX_S else None


@final
class SenderClock:
    """How one publisher's wall clock differs from ours; one for all its tracks keeps them in sync.

    The least difference seen is the truest: the rest is delay on the way.
    """

    __slots__ = ("_behind",)

    def __init__(self) -> None:
        self._behind: int | None = None

    def reported(self, ntp: int, *, at_ntp: int) -> None:
        """Take the sender's clock as read when it sent a report, and ours when it came."""
        sample = ntp_ahead(at_ntp, ntp)
        if self._behind is None or sample < self._behind:
            self._behind = sample
        else:
            self._behind += min(sample - self._behind, CLOCK_FOLLOW_NTP)

    def theirs(self, at_ntp: int) -> int | None:
        """Return what the sender's clock shows at a moment of ours."""
        return None if self._behind is None else (at_ntp - self._behind) & _NTP_MASK


@final
class Reception:
    """How one track arrives: counts, loss, jitter, and its sender's last report."""

    __slots__ = (
        "_base",
        "_expected_before",
        "_highest",
        "_jitter",
        "_received",
        "_received_before",
        "_report_arrived",
        "_report_ntp",
        "_report_timestamp",
        "_transit",
    )

    def __init__(self) -> None:
        self._report_ntp = self._report_timestamp = 0
        self._report_arrived: float | None = None
        self.begin()

    def begin(self) -> None:
        """Start anew with the next packet: the sender began a new numbering."""
        self._base: int | None = None
        self._highest = self._received = 0
        self._expected_before = self._received_before = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._report_arrived = None

    def received(self, sequence: int) -> None:
        """Count a packet, late ones included."""
        if self._base is None:
            self._base = self._highest = sequence
        elif sequence > self._highest:
            self._highest = sequence
        self._received += 1

    def arrived(self, timestamp: int, *, clock_rate: int, now: float) -> None:
        """Measure jitter from a packet that came in order and for the first time."""
        transit = now * clock_rate - timestamp
        if self._transit is not None:
            # RFC 3550 appendix A.8, with the timestamps' wrap taken out.
            apart = (transit - self._transit + (1 << 31)) % (1 << 32) - (1 << 31)
            self._jitter += (abs(apart) - self._jitter) / 16
        self._transit = transit

    def reported(self, ntp: int, timestamp: int, *, now: float) -> None:
        """Take the sender's report."""
        self._report_ntp, self._report_timestamp, self._report_arrived = ntp, timestamp, now

    @property
    def lost(self) -> int:
        """Packets expected and not received so far; duplicates make it negative."""
        return self._expected - self._received

    @property
    def jitter(self) -> float:
        """Interarrival jitter in timestamp units."""
        return self._jitter

    @property
    def _expected(self) -> int:
        return 0 if self._base is None else self._highest - self._base + 1

    def take_block(self, ssrc: int, *, now: float) -> ReportBlock | None:
        """Return the block since the last one and start the next interval; None before media."""
        if self._base is None:
            return None
        expected, received = self._expected, self._received
        interval = expected - self._expected_before
        lost = interval - (received - self._received_before)
        self._expected_before, self._received_before = expected, received
        fraction = min(255, (lost << 8) // interval) if interval > 0 and lost > 0 else 0
        last_report = delay = 0
        if self._report_arrived is not None:
            last_report = compact(self._report_ntp)
            delay = round((now - self._report_arrived) * 65536)
        return ReportBlock(
            ssrc, fraction, self.lost, self._highest, int(self._jitter), last_report, delay
        )

    def timestamp_at(
        self,
        clock: SenderClock,
        *,
        at_ntp: int,
        now: float,
        clock_rate: int,
        newest: int,
        newest_arrived: float,
    ) -> int:
        """Return the source's timestamp that belongs to a moment of ours.

        By the sender's own reports, so that sound and picture agree; by the newest packet's
        arrival while there is none or when the reports contradict the packets.
        """
        guess = newest + round((now - newest_arrived) * clock_rate)
        theirs = clock.theirs(at_ntp)
        if self._report_arrived is None or theirs is None:
            return guess
        since = ntp_ahead(theirs, self._report_ntp)
        told = self._report_timestamp + ((since * clock_rate) >> 32)
        if abs(timestamp_ahead(told, guess)) > CLOCK_TRUST_S * clock_rate:
            return guess
        return told
