"""What is going on in a room's sessions, as plain values for pages and integrators.

In: sessions and the engine's numbers. Out: JSON-able maps; rates in bit/s, times in ms or s as
the names say. Must not change anything.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sfu.control.model import Address, Direction
from sfu.control.session import Session
from sfu.media.model import SessionId
from sfu.media.stats import LegStats, SessionStats, TrackStats

SESSIONS_LISTED_MAX = 1_000
"""Sessions of one listing; the totals are of all."""

StatsOf = Callable[[SessionId], SessionStats | None]
Plain = dict[str, Any]


def describe(session: Session, stats: SessionStats | None, local: str, *, now: float) -> Plain:
    """Tell everything about one session."""
    remote = session.ice.address
    return {
        "id": session.id,
        "direction": str(session.direction),
        "user": session.user,
        "role": session.role,
        "state": str(session.state),
        "age_s": round(now - session.opened_at, 1),
        "silent_s": round(now - session.last_sign, 1),
        "pair": None if remote is None else {"local": local, "remote": name_address(remote)},
        "rtt_ms": None if stats is None else _ms(stats.rtt_s),
        "allowed_bps": None if stats is None else stats.remb_bps,
        "streams": [] if stats is None else _streams(stats),
    }


def sum_up(sessions: Iterable[Session], stats_of: StatsOf) -> Plain:
    """Add up what a room's sessions carry; `loss` is the viewers' mean, from 0 to 1."""
    found: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    fractions: list[float] = []
    for session in sessions:
        stats = stats_of(session.id)
        if stats is None:
            continue
        found["publishers" if session.direction is Direction.PUBLISH else "viewers"] += 1
        for track in stats.tracks:
            found["bitrate_in_bps"] += track.bitrate_bps
        for leg in stats.legs:
            if leg.codec is None:
                continue
            found["legs"] += 1
            for name, value in _leg_totals(leg):
                found[name] += value
            fractions.append(leg.fraction_lost)
            if leg.kind == "video":
                layers[leg.layer or "only"] += 1
    names = ("publishers", "viewers", "legs", "bitrate_in_bps", "bitrate_out_bps")
    counted = ("packets_out", "repairs", "nacks", "keyframe_requests")
    return {
        **{name: found[name] for name in (*names, *counted)},
        "loss": round(sum(fractions) / len(fractions), 4) if fractions else 0.0,
        "layers": dict(sorted(layers.items())),
    }


def in_order(sessions: Sequence[Session]) -> list[Session]:
    """Put publishers first, then the newest."""
    return sorted(sessions, key=lambda s: (s.direction is Direction.PLAY, -s.opened_at))


def name_address(address: Address) -> str:
    """Write an address and port as people read them."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _leg_totals(leg: LegStats) -> tuple[tuple[str, int], ...]:
    return (
        ("bitrate_out_bps", leg.bitrate_bps),
        ("packets_out", leg.packets),
        ("repairs", leg.repairs),
        ("nacks", leg.nacks),
        ("keyframe_requests", leg.keyframes_wanted),
    )


def _streams(stats: SessionStats) -> list[Plain]:
    return [_track(track) for track in stats.tracks] + [_leg(leg) for leg in stats.legs]


def _track(track: TrackStats) -> Plain:
    return {
        "mid": track.mid,
        "kind": str(track.kind),
        "slot": None,
        "codec": track.codec,
        "layer": track.layer,
        "ssrc": track.ssrc,
        "bitrate_bps": track.bitrate_bps,
        "packets": track.packets,
        "bytes": track.bytes,
        "lost": max(track.lost, 0),
        "fraction_lost": None,
        "jitter_ms": _ms(track.jitter_s),
        "repairs": track.recovered,
        "nacks": track.nacks_asked,
        "keyframe_requests": track.keyframes_asked,
        "keyframes": track.keyframes,
    }


def _leg(leg: LegStats) -> Plain:
    return {
        "mid": leg.mid,
        "kind": str(leg.kind),
        "slot": leg.slot,
        "codec": leg.codec,
        "layer": leg.layer,
        "ssrc": leg.ssrc,
        "bitrate_bps": leg.bitrate_bps,
        "packets": leg.packets,
        "bytes": leg.bytes,
        "lost": max(leg.lost, 0),
        "fraction_lost": round(leg.fraction_lost, 4),
        "jitter_ms": _ms(leg.jitter_s),
        "repairs": leg.repairs,
        "nacks": leg.nacks,
        "keyframe_requests": leg.keyframes_wanted,
        "keyframes": None,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
