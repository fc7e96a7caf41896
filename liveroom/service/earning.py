"""What hosts earn: pending for a while, then theirs."""

from dataclasses import dataclass
from functools import partial

from liveroom.domain.actors import Actor
from liveroom.domain.ledger import chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.service.access import HOSTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import earnings, posting
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """A host's coins: not theirs yet, theirs, and what they owe."""

    host: str
    pending: int
    available: int
    owed: int


class Earning:
    """Looks after what hosts earn."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def of(self, actor: Actor) -> Earnings:
        """Show a host what they have earned."""
        require(actor, HOSTS)
        tenant, host = await self._access.tenant(actor), actor.user

        def command(tx: Transaction) -> Earnings:
            available = chart.available_of(host)
            return Earnings(
                host=host,
                pending=posting.total_of(tx, tenant, chart.pending_of(host)),
                available=posting.balance_of(tx, tenant, available).amount,
                owed=-posting.balance_of(tx, tenant, debt_of(available)).amount,
            )

        return await self._ports.store.run(command)

    async def mature(self) -> int:
        """Make theirs what nobody can take back any more; returns how many coins."""
        at = self._ports.now_ms()
        until, coins = at - self._ports.policy.earnings_hold_ms, 0
        for tenant, host in await self._ports.store.run(earnings.earners):
            mature = partial(
                earnings.mature,
                tenant=tenant,
                host=host,
                until=until,
                new_id=self._ports.new_id,
                at=at,
            )
            coins += await self._ports.store.run(mature)
        return coins
