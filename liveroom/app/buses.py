"""Chooses the bus by its setting."""

from liveroom.app.identity import now_ms
from liveroom.bus.address import parse
from liveroom.bus.local import LocalBus
from liveroom.bus.port import Bus
from liveroom.bus.redis import RedisBus
from liveroom.config import Config
from liveroom.service.history import StoreHistory
from liveroom.store.port import Store


def build_bus(config: Config, store: Store) -> Bus:
    """Make the bus of one process; it is not started yet."""
    if config.bus == "local:":
        return LocalBus()
    address = parse(config.bus)
    return RedisBus(address, node=config.node, history=StoreHistory(store), now_ms=now_ms)
