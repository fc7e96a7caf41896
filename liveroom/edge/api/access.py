"""Who may: the token or admin key of a request, the tenant it acts for, the room it covers.

Order of answers: no or bad token 401, unknown or foreign tenant's room 404 (nothing is told
about what belongs to others), a token for another room 403, a role that may not 403.
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace

from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Room
from liveroom.edge.api.backend import Backend
from liveroom.edge.api.table import Access, Credential
from liveroom.edge.api.values import is_id

ADMIN_USER = UserId("admin")
ADMIN_KEY_HEADER = "liveroom-admin-key"
MERCHANT_HEADER = "liveroom-merchant"


def _admin_by_key(backend: Backend, headers: Mapping[str, str]) -> Actor | None:
    given, wanted = headers.get(ADMIN_KEY_HEADER), backend.config.admin_key
    if given is None:
        return None
    if wanted is None or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise Refused("bad_token", "The admin key is not valid here.")
    return Actor(user=ADMIN_USER, role=Role.ADMIN, room=ANY_ROOM)


def _bearer(backend: Backend, headers: Mapping[str, str]) -> Actor | None:
    value = headers.get("authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():  # RFC 6750 section 2.1
        raise Refused("bad_token", "Send the token as: Authorization: Bearer TOKEN.")
    return backend.tokens.verify(token.strip(), at=backend.now_ms() / 1000)


def acting(actor: Actor, headers: Mapping[str, str]) -> Actor:
    """Let an admin without a tenant act for the one in the header, else for the default."""
    if actor.role is not Role.ADMIN or actor.tenant is not None:
        return actor
    named = headers.get(MERCHANT_HEADER)
    if named is None:
        return replace(actor, tenant=DEFAULT_TENANT)
    if not is_id(named):
        raise Refused("invalid", "Liveroom-Merchant is not a merchant's id.")
    return replace(actor, tenant=TenantId(named))


def authenticate(backend: Backend, access: Access, headers: Mapping[str, str]) -> Actor | None:
    """Say who sends a request, as far as the route wants to know.

    Raises:
        Refused: `no_token`, `bad_token`, `expired`.

    """
    if access.credential is Credential.IGNORED:
        return None
    actor = _admin_by_key(backend, headers) or _bearer(backend, headers)
    if actor is None and access.credential is Credential.REQUIRED:
        raise Refused("no_token")
    return actor


async def find_room(backend: Backend, room: str) -> Room:
    """Find a room by the id in a path or body."""
    if not is_id(room):
        raise Refused("no_such_room")
    return await backend.services.rooms.get(RoomId(room))


def owned(actor: Actor, room: Room) -> Actor:
    """Settle the tenant of an actor in a room: theirs, or the room's when they name none.

    Raises:
        Refused: `no_such_room` for another tenant's, `other_room` when the token is not for it.

    """
    if actor.tenant is not None and actor.tenant != room.tenant:
        raise Refused("no_such_room")
    if not actor.covers(room.id):
        raise Refused("other_room")
    return replace(actor, tenant=room.tenant)


async def settled(backend: Backend, actor: Actor) -> Actor:
    """Settle the tenant of an actor outside of any room: theirs, their room's, or the default."""
    tenant = actor.tenant or DEFAULT_TENANT
    if actor.tenant is None and actor.room != ANY_ROOM:
        try:
            tenant = (await find_room(backend, actor.room)).tenant
        except Refused as refused:
            if refused.code != "no_such_room":  # a token may be older than its room
                raise
    return replace(actor, tenant=tenant)


def permit(access: Access, actor: Actor) -> None:
    """Refuse a role that may not use a route."""
    if actor.role not in access.roles:
        raise Refused("forbidden")
