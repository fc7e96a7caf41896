"""The single entry of the media core: packets and moments in, what must be sent out.

Control registers sessions (`publish`, `watch`), says when they are connected, who is on
which stage slot, who went silent. The shell feeds authenticated packets and moments. Every
call returns all that follows from it. Must not know sockets, keys, SDP or a clock.
"""

from collections.abc import Sequence
from typing import final

from .model import NOTHING, Datagram, LegSpec, Output, RoomId, SessionId, TrackSpec
from .stats import EngineStats, SessionStats


@final
class Engine:
    """Forward every publisher's packets to the legs that show them.

    Args:
        remb_bps: the bitrate every publisher is told it may use (the room's cap).

    """

    def __init__(self, *, remb_bps: int = 4_000_000) -> None:
        self._remb_bps = remb_bps

    def publish(
        self, session: SessionId, room: RoomId, tracks: Sequence[TrackSpec], *, now: float
    ) -> None:
        """Register a publisher; `bind` puts it on a slot."""

    def watch(
        self, session: SessionId, room: RoomId, legs: Sequence[LegSpec], *, now: float
    ) -> None:
        """Register a viewer; nothing is sent to it before `connect`."""

    def connect(self, session: SessionId, *, now: float) -> Output:
        """Start sending to a session whose keys are ready."""
        return NOTHING

    def bind(self, room: RoomId, slot: int, source: SessionId | None, *, now: float) -> Output:
        """Show a publisher (of any room) on a slot, or nobody; viewers' streams go on unbroken."""
        return NOTHING

    def suspend(self, session: SessionId, *, now: float) -> None:
        """Stop sending to a session that seems gone; packets from it still count."""

    def resume(self, session: SessionId, *, now: float) -> None:
        """Send again; the key frame request this needs comes out of the next `tick`."""

    def close(self, session: SessionId, *, now: float) -> Output:
        """Forget a session; a publisher leaves its slots, their viewers stay."""
        return NOTHING

    def receive(self, batch: Sequence[Datagram], *, now: float, at_ntp: int) -> Output:
        """Take decrypted packets in order of arrival; unknown sessions are counted and dropped.

        Args:
            batch: what the socket gave, of any number of sessions.
            now: monotonic seconds.
            at_ntp: the same moment as a 64-bit NTP timestamp.

        """
        return NOTHING

    def tick(self, *, now: float, at_ntp: int) -> Output:
        """Do what is due: reports, repeated requests, stall detection."""
        return NOTHING

    def deadline(self) -> float | None:
        """Return when `tick` wants to be called next; it changes with every other call."""
        return None

    def stats(self) -> EngineStats:
        """Return the totals."""
        return EngineStats()

    def session_stats(self, session: SessionId) -> SessionStats | None:
        """Return one session's numbers, None when it is not known."""
        return None
