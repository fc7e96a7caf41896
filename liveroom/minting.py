"""`liveroom token`: arguments in, a signed token and nothing else on standard output.

Shops call it from scripts, so it starts fast: the standard library and the settings only.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from liveroom.config import ConfigError, load
from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.edge.signing import check_ids, sign

DAY_S = 86_400
FAULTY = 2
"""The exit status of faulty arguments or settings."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liveroom token", description="Print a signed token.", allow_abbrev=False
    )
    parser.add_argument("--room", required=True, help="room id, or * for every room")
    parser.add_argument("--user", required=True, help="user id")
    parser.add_argument(
        "--role", required=True, choices=[str(role) for role in Role], help="what it may do"
    )
    parser.add_argument("--merchant", help="tenant (default: the room's)")
    parser.add_argument("--name", help="nickname shown in public")
    parser.add_argument(
        "--age-band",
        choices=[str(band) for band in AgeBand],
        help="unknown counts as minor where money moves",
    )
    parser.add_argument("--ttl", type=int, default=DAY_S, help="lifetime in seconds (86400)")
    parser.add_argument("--secret", help="HS256 key (default: LIVEROOM_SECRET)")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Print a token; return the exit status."""
    given = _parser().parse_args(arguments)
    try:
        config = load({"secret": given.secret})
        if config.secret is None:
            raise ConfigError("Signing needs the secret: set --secret or LIVEROOM_SECRET.")
        actor = Actor(
            user=UserId(given.user),
            role=Role(given.role),
            room=RoomId(given.room),
            tenant=None if given.merchant is None else TenantId(given.merchant),
            name=given.name,
            age_band=None if given.age_band is None else AgeBand(given.age_band),
        )
        check_ids(actor)
        signed = sign(
            actor,
            secret=config.secret,
            at=time.time(),
            ttl_s=given.ttl,
            issuer=config.issuer,
            audience=config.audience,
        )
    except ValueError as error:
        sys.stderr.write(f"liveroom token: {error}\n")
        return FAULTY
    sys.stdout.write(signed + "\n")
    return 0
