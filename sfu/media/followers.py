"""The legs that follow one track, and what they are all given.

In: stored packets. Out: fans, one a shape, and packets in outboxes for what concerns single
legs. A leg waits here until a packet with which a decoder can start, or is shown a replay of
the past, and then sits in the group of its shape. `forward` is the hot path: what it does is
per packet and group, never per leg. Legs in a replay are in no group; what comes meanwhile
they find in the history.
"""

from collections.abc import Iterable, Mapping
from typing import final

from sfu.media.history import Stored
from sfu.media.leg import Leg, Outbox, Source
from sfu.media.model import Codec, Fan, Packet, Roster
from sfu.media.shape import HURRIED, Shape, ShapeKey, shape_key
from sfu.packet import rtp

OVERHEAD_BYTES = 40
"""What headers, extensions and protection add to a payload, for the pace of replays."""


@final
class _Group:
    """Legs of one shape, and the packets of the running call that go to all of them."""

    __slots__ = ("_arrived", "_packets", "_roster", "legs", "shape", "since")

    def __init__(self, key: ShapeKey) -> None:
        self.shape = Shape(key)
        self.legs: list[Leg] = []
        self.since = 0
        """From this number of the source on every leg here is live in this shape."""
        self._roster: Roster | None = None
        self._packets: list[Packet] = []
        self._arrived = 0.0

    def join(self, leg: Leg, first: int) -> None:
        """Take a leg in that is live from a number on; what came before has to be cut off."""
        assert not self._packets, leg.spec.mid
        self.legs.append(leg)
        self.since = max(self.since, first)
        self._roster = None

    def leave(self, leg: Leg) -> None:
        """Let a leg go."""
        assert not self._packets, leg.spec.mid
        self.legs.remove(leg)
        self._roster = None

    def give(self, stored: Stored) -> None:
        """Give a packet to all legs."""
        if not self._packets:
            self._arrived = stored.arrived
        self._packets.append(_template(stored, self.shape))

    def cut(self) -> Fan | None:
        """Return what was given since the last cut."""
        if not self._packets:
            return None
        if self._roster is None:
            self._roster = _roster(self.legs)
        fan = Fan(self._roster, tuple(self._packets), self._arrived)
        self._packets.clear()
        return fan


@final
class Followers:
    """Waiting, unmatched, replaying and active legs of one source."""

    __slots__ = (
        "_fans",
        "_groups",
        "_replaying",
        "_source",
        "_unmatched",
        "candidates",
        "waiting",
    )

    def __init__(self, source: Source, fans: list[Fan] | None = None) -> None:
        self._source = source
        self._groups: dict[ShapeKey, _Group] = {}
        self._unmatched: dict[Leg, None] = {}
        self._replaying: dict[Leg, ShapeKey] = {}
        # Layers share one list: a leg that changes layers is in fans of both, and in order.
        self._fans: list[Fan] = [] if fans is None else fans
        self.candidates: dict[Leg, bool] = {}
        """Legs that follow another layer until the next key frame of this one.

        True for those whose path is too full: what it lost so far is not sent again, for that
        would keep the key frame waiting.
        """
        self.waiting: dict[Leg, None] = {}

    def take(self) -> list[Fan]:
        """Return all that the running call gave to groups, in order."""
        self._cut()
        fans = self._fans.copy()
        self._fans.clear()
        return fans

    def add(self, leg: Leg) -> None:
        """Let a leg wait for its first packet."""
        assert leg.source is None, leg.spec.mid
        leg.source = self._source
        self.waiting[leg] = None

    def remove(self, leg: Leg) -> None:
        """Let a leg go; it remembers where its stream stands."""
        self._cut()
        leg.halt()
        leg.source = None
        self.waiting.pop(leg, None)
        self._unmatched.pop(leg, None)
        self._replaying.pop(leg, None)
        self._ungroup(leg)

    def admit(self, codec: Codec, offered: Mapping[str, int]) -> None:
        """Take over the candidates that know the codec: a key frame is there."""
        for leg, is_full in self.candidates.items():
            if leg.source is not None and shape_key(leg.spec, codec, offered) is not None:
                leg.source.detach(leg)
                if is_full:
                    leg.let_go()
                self.add(leg)
        self.candidates.clear()

    def all(self) -> list[Leg]:
        """Return every leg, whatever its state."""
        active = [leg for group in self._groups.values() for leg in group.legs]
        return [*active, *self.waiting, *self._unmatched, *self._replaying]

    def renew(self) -> None:
        """Make every leg wait again: numbers or codec of the source are about to change."""
        self._cut()
        legs = self.all()
        for leg in legs:
            leg.halt()
        self._groups.clear()
        self._unmatched.clear()
        self._replaying.clear()
        self.waiting = dict.fromkeys(legs)

    def start(
        self,
        stored: Stored,
        codec: Codec,
        offered: Mapping[str, int],
        *,
        lead: tuple[Stored, ...],
        touched: list[Outbox],
    ) -> list[Leg]:
        """Start all waiting legs at a packet; those that lack the codec get nothing, counted.

        The packets of `lead` are sent ahead: they bear the numbers just before.
        """
        self._cut()
        started: dict[ShapeKey, list[Leg]] = {}
        for leg in self.waiting:
            key = shape_key(leg.spec, codec, offered)
            if key is None:
                leg.unmatched += 1
                self._unmatched[leg] = None
                continue
            group = self._group(key)
            leg.start(stored, group.shape, lead)
            for packet in lead:
                leg.replayed(len(packet.payload))
            group.join(leg, stored.sequence)
            # With its first packets goes its first report.
            touched.append(leg.outbox)
            started.setdefault(key, []).append(leg)
        self.waiting.clear()
        for key, legs in started.items():
            self._give(legs, lead, self._groups[key].shape)
        return [leg for legs in started.values() for leg in legs]

    def forward(self, stored: Stored) -> None:
        """Give a packet that came in order to every active leg."""
        for group in self._groups.values():
            group.give(stored)

    def forward_late(self, stored: Stored, touched: list[Outbox]) -> None:
        """Give a packet that came late to the legs whose stream already covers its place."""
        for group in self._groups.values():
            if stored.sequence >= group.since:
                group.give(stored)
                continue
            for leg in group.legs:
                if not self._give_late(leg, stored, touched):
                    leg.skipped(len(stored.payload))
        for leg in self._replaying:
            assert leg.cursor is not None, leg.spec.mid
            # A place that the replay has not come to yet is given its packet in its turn.
            if stored.sequence < leg.cursor and self._give_late(leg, stored, touched):
                leg.replayed(len(stored.payload))

    def start_replay(
        self,
        leg: Leg,
        stored: Stored,
        codec: Codec,
        offered: Mapping[str, int],
        *,
        lead: tuple[Stored, ...],
    ) -> bool:
        """Let a waiting leg begin with a packet of the past; False when it lacks the codec."""
        del self.waiting[leg]
        key = shape_key(leg.spec, codec, offered, playout=HURRIED)
        if key is None:
            leg.unmatched += 1
            self._unmatched[leg] = None
            return False
        leg.start_replay(stored, Shape(key), lead)
        self._replaying[leg] = key
        return True

    def advance_replay(
        self, leg: Leg, budget_bytes: int, *, sent: bytes, touched: list[Outbox]
    ) -> tuple[int, int]:
        """Give a leg the next packets of its replay; return how many packets and bytes.

        The last packet may be over the budget. A leg that has come to the source's newest
        packet is live from then on (its `cursor` is None).
        """
        source = self._source
        assert leg.cursor is not None, leg.spec.mid
        passage = leg.passage(leg.cursor)
        assert passage is not None, leg.spec.mid
        queue, write, find, ssrc = leg.rtp, passage.write, passage.find, leg.ssrc
        if not queue:
            touched.append(leg.outbox)
        repairs_apart = leg.repairs_apart(passage)
        cursor, highest = leg.cursor, source.highest
        packets = payload_bytes = 0
        while cursor <= highest and payload_bytes + packets * OVERHEAD_BYTES < budget_bytes:
            stored = find(cursor)
            cursor += 1
            if stored is None:
                continue
            stamp = sent if repairs_apart else stored.send_time
            queue.append(write(stored, ssrc=ssrc, stamp=stamp))
            packets += 1
            payload_bytes += len(stored.payload)
        leg.cursor = cursor
        leg.replayed(payload_bytes, packets)
        if cursor > highest:
            leg.finish_replay()
            self._group(self._replaying.pop(leg)).join(leg, cursor)
        return packets, payload_bytes + packets * OVERHEAD_BYTES

    def abandon_replay(self, leg: Leg) -> None:
        """Let a leg that is in a replay wait for the next key frame instead."""
        del self._replaying[leg]
        leg.halt()
        self.waiting[leg] = None

    def reshape(self, leg: Leg, codec: Codec, offered: Mapping[str, int]) -> None:
        """Give a live leg the shape of those that joined on live, from the next packet on."""
        key = shape_key(leg.spec, codec, offered)
        assert key is not None, leg.spec.mid
        group = self._group(key)
        if leg in group.legs:
            return
        self._ungroup(leg)
        leg.reshape(group.shape)
        group.join(leg, self._source.highest + 1)

    def replay(self, legs: list[Leg], stored: Stored) -> None:
        """Give legs that started at a late packet all that follows it."""
        source = self._source
        following = [
            kept
            for sequence in range(stored.sequence, source.highest + 1)
            if (kept := source.history.get(sequence)) is not None
            and kept.payload_type == stored.payload_type
        ]
        for group in self._groups.values():
            started = [leg for leg in group.legs if leg in legs]
            for leg in started:
                for kept in following:
                    leg.replayed(len(kept.payload))
            self._give(started, following, group.shape)

    def _give(self, legs: list[Leg], packets: Iterable[Stored], shape: Shape) -> None:
        """Give packets to some legs of one shape, after all that was given before."""
        self._cut()
        given = tuple(packets)
        if given and legs:
            media = tuple(_template(stored, shape) for stored in given)
            self._fans.append(Fan(_roster(legs), media, given[0].arrived))

    def _cut(self) -> None:
        """End what is being given to the groups: who is in them is about to change."""
        for group in self._groups.values():
            fan = group.cut()
            if fan is not None:
                self._fans.append(fan)

    def _give_late(self, leg: Leg, stored: Stored, touched: list[Outbox]) -> bool:
        passage = leg.passage(stored.sequence) if stored.sequence >= leg.first else None
        if passage is None:
            return False
        if not leg.rtp:
            leg.outbox.arrived = stored.arrived
            touched.append(leg.outbox)
        leg.rtp.append(passage.write(stored, ssrc=leg.ssrc, stamp=stored.send_time))
        return True

    def _group(self, key: ShapeKey) -> _Group:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        return group

    def _ungroup(self, leg: Leg) -> None:
        for key, group in self._groups.items():
            if leg in group.legs:
                group.leave(leg)
                if not group.legs:
                    del self._groups[key]
                return


def _template(stored: Stored, shape: Shape) -> Packet:
    """Make a packet as the source numbers it; each leg's own numbers come later."""
    block = shape.block(stored, stored.send_time)
    header = rtp.pack_header(
        rtp.FIRST_BYTE_EXTENDED if block else rtp.FIRST_BYTE,
        shape.payload_type | (rtp.MARKER if stored.marker else 0),
        stored.sequence & 0xFFFF,
        stored.timestamp,
        0,
    )
    return Packet(header + block, stored.payload)


def _roster(legs: list[Leg]) -> Roster:
    return Roster(tuple([leg.outbox.session for leg in legs]), tuple([leg.numbers for leg in legs]))
