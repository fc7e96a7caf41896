"""One frame to many sockets in one call, past their transports, where the compiled loop is built.

The transports stay in charge: a socket is written to directly only while its transport has
nothing waiting and is not closing, so that nothing is overtaken and no number of a closed socket
is used; what a socket does not take goes to its transport, which waits, reports errors and closes
as ever. TLS always goes through the transport. Without the loop, so does everything.
"""

import asyncio
import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Final

SWITCH: Final = "LIVEROOM_SWEEP"
"""Environment: `python` leaves all writing to the transports."""

NOT_DIRECT: Final = -1
"""Stands for the descriptor of a connection that only its transport may write to."""

WriteAll = Callable[[list[int], bytes], list[tuple[int, int]]]


def compiled_loop() -> WriteAll | None:
    """Find the loop; None where it was not built or is switched off."""
    if os.environ.get(SWITCH) == "python":
        return None
    try:
        module: ModuleType = importlib.import_module("liveroom.edge._sweep")
    except ImportError:
        return None
    write_all: WriteAll = module.write_all
    return write_all


WRITE_ALL: Final = compiled_loop()


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Name the socket that may be written to directly; `NOT_DIRECT` when none may."""
    raw = transport.get_extra_info("socket")
    if WRITE_ALL is None or raw is None or transport.get_extra_info("sslcontext") is not None:
        return NOT_DIRECT
    descriptor: int = raw.fileno()
    return descriptor


def rest_of(frame: bytes, taken: int) -> bytes:
    """Cut off what a socket took; an error took nothing."""
    return frame[taken:] if taken > 0 else frame
