"""The websocket's `ask`: a table of commands, each with its arguments and its handler."""

from collections.abc import Mapping
from typing import Any

import msgspec

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.ports import Ports

Answer = Mapping[str, Any]
"""The fields of an `ok`: text, integers, booleans, None, and lists and maps of them."""


class Asking:
    """Finds the command, reads its arguments, answers."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def ask(
        self,
        actor: Actor,
        room: RoomId,
        do: str,
        arguments: bytes | msgspec.Raw,
        key: str,
    ) -> Answer:
        """Carry one command out; `arguments` is the raw `with` map, JSON or MessagePack."""
        raise Refused("unknown_command")
