"""What time alone demands, each at its own pace; driven by the application's tick."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.service.battling import Battling
from liveroom.service.broadcasting import Broadcasting
from liveroom.service.earning import Earning
from liveroom.service.parcelling import Parcelling
from liveroom.service.ports import Ports
from liveroom.service.recognising import Recognising
from liveroom.service.refunding import Refunding
from liveroom.service.shopping import Shopping
from liveroom.service.staging import Staging
from liveroom.service.talking import Talking
from liveroom.service.unwinding import Unwinding
from liveroom.store import holds, keys, moderation, reversing, tickets, webhooks
from liveroom.store.port import Transaction

CHECKOUTS_EVERY_MS: Final = 5_000
REFUNDS_EVERY_MS: Final = 2_000
LEDGER_EVERY_MS: Final = 10_000
UNWINDING_EVERY_MS: Final = 1_000
EARNINGS_EVERY_MS: Final = 10 * 60 * 1000
PARCELS_EVERY_MS: Final = 60_000
HOSTS_EVERY_MS: Final = 30_000
ORPHANS_EVERY_MS: Final = 3_000
PURGE_EVERY_MS: Final = 10 * 60 * 1000

Job = Callable[[], Awaitable[object]]
Periodic = tuple[int, Job]
"""Every so many milliseconds, what to do."""

_log = logger(__name__)


class Housekeeping:
    """Runs the periodic work of the services, one piece after another."""

    def __init__(
        self,
        ports: Ports,
        talking: Talking,
        recognising: Recognising,
        shopping: Shopping,
        broadcasting: Broadcasting,
        staging: Staging,
        refunding: Refunding,
        parcelling: Parcelling,
        unwinding: Unwinding,
        earning: Earning,
        battling: Battling,
        more: Sequence[Periodic] = (),
    ) -> None:
        self._ports = ports
        self._always: tuple[Job, ...] = (
            recognising.tick,
            talking.tick,
            staging.tick,
            battling.tick,
        )
        self._periodic: tuple[Periodic, ...] = (
            (CHECKOUTS_EVERY_MS, shopping.expire_checkouts),
            (REFUNDS_EVERY_MS, refunding.send_due),
            (LEDGER_EVERY_MS, self.expire),
            (PARCELS_EVERY_MS, parcelling.guard),
            (UNWINDING_EVERY_MS, unwinding.step),
            (EARNINGS_EVERY_MS, earning.mature),
            (HOSTS_EVERY_MS, broadcasting.end_abandoned),
            (ORPHANS_EVERY_MS, broadcasting.sweep),
            (PURGE_EVERY_MS, self.purge),
            *more,
        )
        self._done_at = [0] * len(self._periodic)

    async def tick(self) -> None:
        """Do what is due."""
        for work in self._always:
            await self._try(work)
        at = self._ports.now_ms()
        for index, (every_ms, job) in enumerate(self._periodic):
            if at - self._done_at[index] >= every_ms:
                self._done_at[index] = at
                await self._try(job)

    @staticmethod
    async def _try(work: Job) -> None:
        """Do one piece; a store that does not answer must not keep the others from theirs."""
        try:
            await work()
        except Refused as refused:
            _log.warning("housekeeping put off", why=refused.why)

    async def expire(self) -> None:
        """End holds and lots whose time has passed."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> None:
            holds.expire_due(tx, at=at)
            reversing.expire_lots(tx, new_id=self._ports.new_id, at=at)

        await self._ports.store.run(command)

    async def purge(self) -> None:
        """Forget answers, tickets, sanctions and reports that count no more."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> None:
            keys.purge(tx, at=at)
            tickets.purge(tx, at=at)
            moderation.purge(tx, at=at)
            webhooks.purge(tx, at=at)

        await self._ports.store.run(command)
