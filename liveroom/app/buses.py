"""Chooses the bus and the company on it by the setting."""

from contextlib import AsyncExitStack

from liveroom.app.identity import now_ms
from liveroom.bus.address import parse
from liveroom.bus.company import Mine, RedisCompany
from liveroom.bus.local import LocalBus
from liveroom.bus.port import Alone, Bus, Company
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


async def join_company(bus: Bus, mine: Mine, closing: AsyncExitStack) -> Company:
    """Make known to the others, if there can be any, what this process has."""
    if not isinstance(bus, RedisBus):
        return Alone()
    company = RedisCompany(bus, mine)
    await company.start()
    closing.push_async_callback(company.close)
    return company
