"""Write a signed token (JWT, RFC 7519; HS256, RFC 7515): claims in, compact text out.

Standard library only, so that `liveroom token` starts in no time; `tokens` reads what this
writes with a full library. Time is passed in.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode

from liveroom.domain.actors import ANY_ROOM, Actor
from liveroom.domain.ids import ID_PATTERN

TTL_S_MAX = 10 * 366 * 86_400
"""No token lives longer than ten years."""


def _encode(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _claims(actor: Actor) -> dict[str, object]:
    claims: dict[str, object] = {"sub": actor.user, "room": actor.room, "role": str(actor.role)}
    if actor.tenant is not None:
        claims["merchant"] = actor.tenant
    if actor.name is not None:
        claims["name"] = actor.name
    if actor.age_band is not None:
        claims["age_band"] = str(actor.age_band)
    if actor.anonymous:
        claims["anon"] = True
    return claims


def sign(
    actor: Actor,
    *,
    secret: str,
    at: float,
    ttl_s: int,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """Sign a token for an actor that is valid from `at` (UTC seconds) for `ttl_s`.

    Raises:
        ValueError: when the lifetime is not between 1 second and ten years.

    """
    if not 1 <= ttl_s <= TTL_S_MAX:
        raise ValueError(f"a token lives from 1 to {TTL_S_MAX} seconds")
    claims = _claims(actor) | {"iat": int(at), "exp": int(at) + ttl_s}
    if issuer is not None:
        claims["iss"] = issuer
    if audience is not None:
        claims["aud"] = audience
    head = _encode(b'{"alg":"HS256","typ":"JWT"}')
    body = _encode(json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode())
    signature = hmac.new(secret.encode(), head + b"." + body, hashlib.sha256).digest()
    return b".".join((head, body, _encode(signature))).decode()


def check_ids(actor: Actor) -> None:
    """Refuse an actor whose token no server would take.

    Raises:
        ValueError: naming the claim.

    """
    claims = {"user": actor.user, "room": actor.room, "merchant": actor.tenant}
    for name, value in claims.items():
        if value is None or (name == "room" and value == ANY_ROOM):
            continue
        if re.search(ID_PATTERN, value) is None:
            raise ValueError(
                f"{name} is not an id: 1 to 64 letters, digits, dots, dashes, colons, @ or _"
            )
