"""What a room of any size would cost, told from rooms that were measured; pure.

    CPU (cores) = fixed + per_viewer × viewers

`fixed` is what an event costs whoever watches (sample, encode, number), `per_viewer` is frames a
second × the price of one write, and the heartbeat. One process serves a room's viewers on one
core; more viewers are more processes, each of which hears every tick once from the bus.
"""

from dataclasses import dataclass
from math import ceil

CORE_SHARE_MAX = 0.7
"""A process is full then: what is left takes joins and commands."""
SWEEP_S_MAX = 0.050
"""A frame has reached everybody by then, else money misses its 50 ms."""
LINK_GBIT_PER_S = 10
MACHINE_GIB = 32
MACHINE_CORES = 16
HEADER_BYTES = 4 + 66
"""A websocket frame's header, and those of TCP, IP and Ethernet, acknowledgements apart."""
KERNEL_KIB = 4.0
"""What the kernel keeps for an idle TCP connection, beside the process."""
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The constants, fitted at one rate of events."""

    fixed: float
    per_viewer: float
    frames_per_s: float
    frame_bytes: int
    kib_per_viewer: float

    def share(self, viewers: int) -> float:
        """Predict the cores that so many viewers need in one process."""
        return self.fixed + self.per_viewer * viewers

    @property
    def write_s(self) -> float:
        """The price of one more viewer in a sweep."""
        return self.per_viewer / self.frames_per_s

    def limits(self) -> dict[str, int]:
        """Say how many viewers one process can have, by what would end it."""
        return {
            "the time of a sweep": int(SWEEP_S_MAX / self.write_s),
            "the CPU of a core": int((CORE_SHARE_MAX - self.fixed) / self.per_viewer),
        }

    def machine_limits(self) -> dict[str, int]:
        """Say how many viewers one machine can have, by what would end it."""
        per_process = min(self.limits().values())
        per_s = self.frames_per_s * (self.frame_bytes + HEADER_BYTES) * 8
        return {
            "its cores": per_process * MACHINE_CORES,
            "its link": int(LINK_GBIT_PER_S * 1e9 / per_s),
            "its memory": int(MACHINE_GIB * 1024**2 / (self.kib_per_viewer + KERNEL_KIB)),
        }

    def lines(self, viewers: int = MILLION) -> list[str]:
        """Say it all in sentences."""
        process, machine = self.limits(), self.machine_limits()
        first, on_machine = (
            min(process, key=process.__getitem__),
            min(machine, key=machine.__getitem__),
        )
        processes = ceil(viewers / process[first])
        machines = ceil(viewers / machine[on_machine])
        gbit = viewers * self.frames_per_s * (self.frame_bytes + HEADER_BYTES) * 8 / 1e9
        bus = processes * self.frames_per_s
        return [
            "Model: cores = fixed + per_viewer × viewers, in one process and room",
            f"  fixed = {self.fixed * 1e3:.2f} ms/s · per_viewer = {self.per_viewer * 1e6:.1f} µs/s"
            f" = {self.frames_per_s:.1f} frames/s × {self.write_s * 1e6:.2f} µs",
            f"  one process: {_listed(process)}; {first} ends it first",
            f"  one machine ({MACHINE_CORES} cores, {MACHINE_GIB} GiB, {LINK_GBIT_PER_S} Gbit/s):"
            f" {_listed(machine)}; first it runs out"
            f" of {on_machine.removeprefix('its ')}",
            f"  {viewers:,} viewers of one room: {processes} processes on {machines} machines,"
            f" {gbit:.1f} Gbit/s out, {viewers * (self.kib_per_viewer + KERNEL_KIB) / 1024**2:.1f}"
            f" GiB; the bus hands {bus:,.0f} publications/s on, of {self.frames_per_s:.1f} made",
        ]


def fit(
    first: tuple[int, float],
    second: tuple[int, float],
    *,
    frames_per_s: float,
    frame_bytes: int,
    kib_per_viewer: float,
) -> Model:
    """Fit the constants to two rooms: (viewers, cores)."""
    (few, cheap), (many, dear) = first, second
    per_viewer = max(1e-9, (dear - cheap) / (many - few))
    return Model(
        fixed=max(0.0, cheap - per_viewer * few),
        per_viewer=per_viewer,
        frames_per_s=frames_per_s,
        frame_bytes=frame_bytes,
        kib_per_viewer=kib_per_viewer,
    )


def _listed(limits: dict[str, int]) -> str:
    return ", ".join(f"{count:,} by {what}" for what, count in limits.items())
