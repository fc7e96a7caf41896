"""The public face of the media server: build, wire, start, answer, stop.

`Media` composes desk, engine, socket and signalling. Everything outside talks to it in plain
values: HTTP requests in, `Reply` out, `MediaEvent` by callback.
"""

import asyncio
import datetime
import ipaddress
import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import ifaddr

from sfu import observe
from sfu.config import MediaConfig
from sfu.control.desk import Desk
from sfu.control.dtls import Certificate
from sfu.control.model import Direction, MediaEvent, Outlets
from sfu.control.placing import Publisher
from sfu.control.report import SESSIONS_LISTED_MAX, Plain, describe, in_order, name_address, sum_up
from sfu.control.session import Session
from sfu.edge.archive import Archive
from sfu.edge.http import Reply, Request, Signalling
from sfu.edge.native import why_not_native
from sfu.edge.recorder import RecorderProcess
from sfu.edge.udp import MediaSocket, open_socket
from sfu.media.engine import Engine
from sfu.media.model import Kind, Output, RoomId, SessionId
from sfu.media.stats import EngineStats, SessionStats
from sfu.recorder.wire import Finished

log = logging.getLogger("sfu.app")

__all__ = ["Media", "MediaEvent", "MediaStats", "Reply"]


@dataclass(frozen=True, slots=True)
class MediaStats:
    """Numbers of one media process."""

    sessions: int
    by_state: Mapping[str, int]
    """Keys such as "publish_connected"."""
    dropped: Mapping[str, int]
    """Datagrams and handshakes that came to nothing since the start, by reason."""
    engine: EngineStats


class Media:
    """One media process: rooms, their publishers and their viewers.

    Args:
        config: addresses and limits.
        on_event: told what happens to hosts, guests and sessions.
        on_join_step: told the seconds of each step of a join: ice, dtls, first_packet.
        allows_origin: says whether pages of an origin may ask; by default `config.origins` does.

    """

    def __init__(
        self,
        config: MediaConfig,
        *,
        on_event: Callable[[MediaEvent], None],
        on_join_step: Callable[[str, float], None] = lambda _step, _seconds: None,
        allows_origin: Callable[[str], bool] | None = None,
    ) -> None:
        self._config = config
        self._on_event = on_event
        self._on_join_step = on_join_step
        self._clock = time.monotonic
        self._engine = Engine(remb_bps=config.bitrate_bps)
        self._socket: MediaSocket | None = None
        self._desk = Desk(
            config,
            self._engine,
            Certificate(at=datetime.datetime.now(datetime.UTC)),
            secrets.token_bytes,
            Outlets(
                transmit=self._transmit,
                act=self._act,
                on_event=self._event,
                on_join_step=on_join_step,
            ),
        )
        self._signalling = Signalling(
            self._desk, config.ice_servers, allows_origin or _listed(config.origins), self._clock
        )
        self._archive = Archive(
            lambda on_answer, on_death: RecorderProcess(
                config.recordings or Path(tempfile.gettempdir()), on_answer, on_death, self._clock
            ),
            self._engine,
            self._want_keyframe,
            self._recorded,
            self._clock,
        )
        self._told: dict[SessionId, tuple[str, str]] = {}
        self.port = config.port
        """The UDP port; the real one after `start`."""

    async def start(self) -> None:
        """Bind the socket and begin to answer.

        Raises:
            OSError: the address is taken or not ours.

        """
        sock = open_socket(self._config.host, self._config.port)
        self.port = sock.getsockname()[1]
        self._desk.candidates = candidate_addresses(self._config, sock.getsockname()[0], self.port)
        self._socket = MediaSocket(
            sock,
            self._desk,
            self._engine,
            self._desk.stage_changed,
            self._on_join_step,
            self._clock,
        )
        self._socket.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """Tell every peer goodbye and stop."""
        if self._socket is None:
            return
        self._desk.close_all("server_stopped", now=self._clock())
        await self._archive.close()
        self._socket.close()
        self._socket = None

    async def whip(
        self,
        *,
        method: str,
        room: str,
        user: str,
        role: str,
        session: str | None,
        headers: Mapping[str, str],
        body: bytes,
        base_path: str,
        address: str,
    ) -> Reply:
        """Answer a WHIP request of a verified user; `session` is the end of a session URL."""
        return self._answer(
            Request(
                direction=Direction.PUBLISH,
                method=method,
                room=room,
                user=user,
                role=role,
                session=session,
                headers=headers,
                body=body,
                base_path=base_path,
                address=address,
            )
        )

    async def whep(
        self,
        *,
        method: str,
        room: str,
        user: str,
        role: str,
        session: str | None,
        headers: Mapping[str, str],
        body: bytes,
        base_path: str,
        address: str,
    ) -> Reply:
        """Answer a WHEP request of a verified user; `session` is the end of a session URL."""
        return self._answer(
            Request(
                direction=Direction.PLAY,
                method=method,
                room=room,
                user=user,
                role=role,
                session=session,
                headers=headers,
                body=body,
                base_path=base_path,
                address=address,
            )
        )

    def show(
        self,
        room: str,
        slot: int,
        publisher: tuple[str, str] | None,
        *,
        audio: bool = True,
        video: bool = True,
    ) -> None:
        """Show a publisher (room and user), or nobody, on a slot of a room's stage.

        It holds for every session they publish with, until the next wish for this slot.
        Without `audio` or `video` that kind is not forwarded.
        """
        who = None if publisher is None else Publisher(RoomId(publisher[0]), publisher[1])
        muted = frozenset(kind for kind, on in ((Kind.AUDIO, audio), (Kind.VIDEO, video)) if not on)
        self._desk.placing.show(RoomId(room), slot, who, muted, now=self._clock())

    def forget(self, room: str, slot: int) -> None:
        """Let a slot be as without any wish: slot 0 shows the host, others nobody."""
        self._desk.placing.forget(RoomId(room), slot, now=self._clock())

    def gather(self, room: str, users: frozenset[str], stage: str) -> None:
        """Let some of a room's viewers, now or later here, look at a stage of their own."""
        self._desk.placing.gather(RoomId(room), users, RoomId(stage), now=self._clock())

    def dismiss(self, room: str) -> None:
        """Let a room's viewers look at its own stage again."""
        self._desk.placing.dismiss(RoomId(room), now=self._clock())

    def end_session(self, session: str, reason: str) -> bool:
        """End a session for the house (kicked, room ended); False when it is gone already."""
        found = self._desk.session(SessionId(session))
        if found is None:
            return False
        self._desk.close(found, reason, now=self._clock())
        return True

    def end_user(self, room: str, user: str, roles: Collection[str], reason: str) -> int:
        """End somebody's sessions of some roles in a room (banned); tell how many there were."""
        found = self._desk.sessions_of(RoomId(room), user, roles)
        for session in found:
            self._desk.close(session, reason, now=self._clock())
        return len(found)

    def sessions(self, room: str | None = None) -> int:
        """Return how many sessions a room, or everything, has."""
        return self._desk.count(room)

    def stats(self) -> MediaStats:
        """Return the numbers of now."""
        return MediaStats(
            sessions=self._desk.count(),
            by_state={
                f"{direction}_{state}": count
                for (direction, state), count in self._desk.counts().items()
            },
            dropped=dict(self._desk.dropped),
            engine=self._engine.stats(),
        )

    def session_stats(self, session: str) -> SessionStats | None:
        """Return the engine's numbers of one session."""
        return self._engine.session_stats(SessionId(session))

    async def room_report(self, room: str, *, limit: int = SESSIONS_LISTED_MAX) -> Plain:
        """Tell what a room's sessions carry and how long packets stay here.

        The totals are of all sessions; at most `limit` are listed, publishers first.
        """
        found = in_order(self._desk.in_room(RoomId(room)))
        listed = found[: min(limit, SESSIONS_LISTED_MAX)]
        return {
            "forward": self._forward_latency(),
            "totals": sum_up(found, self._engine.session_stats),
            "sessions": [self._describe(session) for session in listed],
            "left_off": len(found) - len(listed),
        }

    async def session_report(self, room: str, session: str) -> Plain | None:
        """Tell everything about one session of a room; None when it has none of that name."""
        found = self._desk.session(SessionId(session))
        return None if found is None or found.room != room else self._describe(found)

    @property
    def recorder_pid(self) -> int | None:
        """The process that writes files and draws pictures, while there is one."""
        return self._archive.pid

    async def record(self, session: str, file: str) -> float | None:
        """Begin to record a publisher into a new file of the recordings' folder.

        Returns how many seconds ago the first packet in it had arrived; None when nothing is
        recorded: no folder is set, the session is gone or recorded already, the recorder
        cannot be started. Its end is told by the event "recorded".
        """
        found = self._desk.session(SessionId(session))
        if self._config.recordings is None or found is None:
            return None
        ago_s = await self._archive.record(found.id, file)
        if ago_s is not None:
            self._told[found.id] = (found.room, found.user)
            if self._desk.session(found.id) is None:
                self._archive.stop(found.id)
        return ago_s

    def stop_recording(self, session: str) -> None:
        """End a publisher's recording; the publisher stays."""
        self._archive.stop(SessionId(session))

    async def picture(self, room: str) -> bytes | None:
        """Return a JPEG of what a room's host shows now or did a moment ago."""
        return await self._archive.picture(RoomId(room))

    async def cut(self, source: str, target: str, *, from_s: float, to_s: float) -> float:
        """Copy a part of a recording into a new file; return its seconds, 0 = nothing made."""
        return await self._archive.cut(source, target, from_s, to_s)

    def _want_keyframe(self, session: SessionId) -> None:
        self._engine.want_keyframe(session, now=self._clock())
        if self._socket is not None:
            self._socket.arm()

    def _recorded(self, session: SessionId, file: str, outcome: Finished) -> None:
        room, user = self._told.pop(session, ("", ""))
        detail = {
            "direction": str(Direction.PUBLISH),
            "file": file,
            "reason": outcome.reason,
            "duration_ms": str(round(outcome.duration_s * 1000)),
            "bytes": str(outcome.bytes),
            "frames": str(outcome.frames),
            "gaps": str(outcome.gaps),
        }
        self._event(MediaEvent("recorded", room, user, session, detail))

    def _describe(self, session: Session) -> Plain:
        local = name_address(self._desk.candidates[0]) if self._desk.candidates else ""
        stats = self._engine.session_stats(session.id)
        return describe(session, stats, local, now=self._clock())

    def _forward_latency(self) -> Plain:
        if self._socket is None:
            return {"p50_ms": None, "p99_ms": None, "samples": 0}
        latency = self._socket.latencies.summary(now=self._clock())
        p50_s, p99_s = latency.p50_s, latency.p99_s
        return {
            "p50_ms": None if p50_s is None else round(p50_s * 1000, 3),
            "p99_ms": None if p99_s is None else round(p99_s * 1000, 3),
            "samples": latency.samples,
        }

    def _answer(self, request: Request) -> Reply:
        reply = self._signalling.answer(request)
        if self._socket is not None:
            self._socket.arm()
        return reply

    def _transmit(self, data: bytes, address: tuple[object, ...]) -> None:
        if self._socket is not None:
            self._socket.transmit(data, address)

    def _act(self, output: Output) -> None:
        if self._socket is not None:
            self._socket.act(output)

    def _event(self, event: MediaEvent) -> None:
        if event.kind == "session_closed":
            self._archive.stop(SessionId(event.session))
        change = {"session_opened": 1, "session_closed": -1}.get(event.kind, 0)
        observe.sessions.inc(change)
        if event.detail["direction"] == Direction.PUBLISH:
            observe.publishers.inc(change)
        try:
            self._on_event(event)
        except Exception:
            # A listener's bug must not cost a session its next step.
            log.exception("on_event failed for %s", event.kind)


def _listed(origins: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda origin: "*" in origins or origin in origins


def fanout_obstacle() -> str | None:
    """Say why media is sent by Python here, None when the compiled fan-out sends."""
    return why_not_native()


def candidate_addresses(
    config: MediaConfig, bound_host: str, port: int
) -> tuple[tuple[str, int], ...]:
    """Name the addresses that answers carry, for a socket bound to `bound_host`."""
    if config.advertise:
        return tuple(_host_and_port(text, port) for text in config.advertise)
    if not ipaddress.ip_address(bound_host).is_unspecified:
        return ((bound_host, port),)
    with_v6 = ":" in bound_host
    found = [
        str(ip.ip)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if ip.is_IPv4 and not ipaddress.ip_address(str(ip.ip)).is_link_local
    ]
    if with_v6:
        found += [
            ip.ip[0]
            for adapter in ifaddr.get_adapters()
            for ip in adapter.ips
            if isinstance(ip.ip, tuple) and not ipaddress.ip_address(ip.ip[0]).is_link_local
        ]
    # Loopback last: only a client on this machine can use it.
    found.sort(key=lambda host: ipaddress.ip_address(host).is_loopback)
    return tuple((host, port) for host in found)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    """Split "host", "host:port" or "[v6]:port"; a bare IPv6 address has no port.

    Raises:
        ValueError: the host is not an IP address; browsers take no names in candidates.

    """
    host, rest = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        rest = rest.lstrip(":")
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
    try:
        return str(ipaddress.ip_address(host)), int(rest or port)
    except ValueError:
        raise ValueError(f"advertise wants IP addresses, not {text!r}") from None
