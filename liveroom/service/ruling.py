"""A shop's rules for levels, points, coupons and discount days: read, changed, tried out."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor
from liveroom.domain.levels import Ladder, preview
from liveroom.domain.shop_rules import ShopRules, check_rules
from liveroom.domain.tiers import Tier
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import levels, rules
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInForce:
    """Rules and the number of their version; 0 = the defaults."""

    version: int
    rules: ShopRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How many people stand on one level now and on another by rules that are tried out."""

    now: Tier
    then: Tier
    people: int


class Ruling:
    """Keeps the rules of shops."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def of(self, actor: Actor) -> RulesInForce:
        """Read the rules in force."""
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)
        version, found = await self._ports.store.run(lambda tx: rules.in_force(tx, tenant))
        return RulesInForce(version=version, rules=found)

    async def put(self, actor: Actor, wanted: ShopRules) -> RulesInForce:
        """Put other rules in force. Nobody falls at once: who falls short is warned first.

        Raises:
            Refused: `forbidden`, `invalid`.

        """
        require(actor, MERCHANTS)
        check_rules(wanted)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> RulesInForce:
            version, found = rules.in_force(tx, tenant)
            if found == wanted:
                return RulesInForce(version=version, rules=found)
            version = rules.put(tx, tenant, wanted, actor=actor.user, at=at)
            return RulesInForce(version=version, rules=wanted)

        return await self._ports.store.run(command)

    async def try_out(self, actor: Actor, ladder: Ladder) -> list[Shift]:
        """Say who would stand where under another ladder; changes nothing."""
        require(actor, MERCHANTS)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()
        people = await self._ports.store.run(lambda tx: levels.people(tx, tenant, ladder, at=at))
        counted = preview(people, ladder)
        return [Shift(now=now, then=then, people=counted[now, then]) for now, then in counted]
