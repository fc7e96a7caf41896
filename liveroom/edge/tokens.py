"""Who is it: a token's text in, a verified `Actor` out, or a refusal (RFC 7519, RFC 8725).

Each key is bound to one algorithm: our secret to HS256, each public key of the set to the
algorithm of its type, chosen by `kid` from the set alone (RFC 8725 sections 3.1 and 3.10).
Nothing a token says makes us fetch anything. It knows no clock: `at` is UTC seconds.
"""

import hashlib
import unicodedata
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, Protocol

import msgspec
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import ID_PATTERN, RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.edge.signing import sign

TOKEN_BYTES_MAX = 8_192
"""Longer tokens are refused unread."""

KID_CHARS_MAX = 128
NAME_CHARS_MAX = 64
"""Longer names are cut."""

VERIFIED_MAX = 10_000
"""Tokens whose signature was seen good; the one unused longest is computed again."""

KEYS_MAX = 64
TIME_MAX = 2**53

ALGORITHM_OF_KEY = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}

_Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
_Whole = Annotated[int, msgspec.Meta(ge=0, le=TIME_MAX)]
_Fraction = Annotated[float, msgspec.Meta(ge=0, le=TIME_MAX)]


class TokenVerifier(Protocol):
    """What the gateway and the API need of tokens."""

    def verify(self, token: str, *, at: float) -> Actor:
        """Check a token at a time (UTC seconds) or raise `Refused`."""
        ...


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: Annotated[str, msgspec.Meta(max_length=KID_CHARS_MAX)] | None = None
    typ: str | None = None
    crit: object = msgspec.UNSET
    b64: object = msgspec.UNSET


class _Claims(msgspec.Struct, frozen=True):
    sub: _Id
    room: Annotated[str, msgspec.Meta(pattern=rf"^\*$(?!\n)|{ID_PATTERN}")]
    role: Role
    exp: _Whole | _Fraction
    nbf: _Whole | _Fraction | None = None
    merchant: _Id | None = None
    name: str | None = None
    age_band: AgeBand | None = None
    anon: bool = False
    iss: object = None
    aud: object = None


_HEADER = msgspec.json.Decoder(_Header)
_CLAIMS = msgspec.json.Decoder(_Claims)


def clean_name(name: str) -> str | None:
    """Keep what can be printed of a display name, cut to its bound; None when nothing is left."""
    text = unicodedata.normalize("NFC", name[: NAME_CHARS_MAX * 4])
    return "".join(c for c in text if c.isprintable())[:NAME_CHARS_MAX].strip() or None


def public_keys(key_set: Mapping[str, object]) -> dict[str | None, PyJWK]:
    """Read the usable signature keys of a JSON Web Key Set (RFC 7517), by `kid`.

    Raises:
        ValueError: when the set holds no usable key, a private key, or too many.

    """
    rows = key_set.get("keys")
    if not isinstance(rows, list) or len(rows) > KEYS_MAX:
        raise ValueError(f"a key set has a list `keys` of at most {KEYS_MAX} keys")
    found: dict[str | None, PyJWK] = {}
    for row in rows:
        if not isinstance(row, dict) or row.get("use", "sig") != "sig":
            continue
        kty = str(row.get("kty"))
        algorithm = ALGORITHM_OF_KEY.get((kty, None if kty == "RSA" else row.get("crv")))
        if algorithm is None or row.get("alg", algorithm) != algorithm:
            continue
        if "d" in row:
            raise ValueError("the key set holds a private key; publish only public keys")
        kid = row.get("kid")
        if kid in found:
            raise ValueError("two keys of the key set have the same kid")
        try:
            found[kid] = PyJWK(row, algorithm)
        except PyJWTError as error:
            raise ValueError(f"a key of the key set cannot be read: {error}") from error
    if not found:
        raise ValueError("the key set holds no RS256, ES256 or EdDSA key")
    if len(found) > 1 and None in found:
        raise ValueError("with more than one key, each key needs a kid")
    return found


class Tokens:
    """Checks tokens against pinned keys and signs our own.

    Args:
        secret: HS256 key (at least 32 bytes); needed to sign.
        jwks: a parsed JSON Web Key Set of the tokens' issuer.
        issuer: required `iss`, if given.
        audience: required `aud`, if given.
        leeway_s: tolerated clock difference, 0 to 5.

    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        jwks: Mapping[str, object] | None = None,
        issuer: str | None = None,
        audience: str | None = None,
        leeway_s: int = 0,
    ) -> None:
        assert secret is not None or jwks is not None
        assert 0 <= leeway_s <= 5, leeway_s
        self._secret = secret
        self._public = {} if jwks is None else public_keys(jwks)
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s
        self._verified: OrderedDict[bytes, _Claims] = OrderedDict()
        self._jws = PyJWS(algorithms=["HS256", "RS256", "ES256", "EdDSA"])

    def verify(self, token: str, *, at: float) -> Actor:
        """Check a token at a time (UTC seconds).

        Raises:
            Refused: `expired` for a token that was good once, `bad_token` for any other.

        """
        claims = self._read(token)
        if self._issuer is not None and claims.iss != self._issuer:
            raise Refused("bad_token")
        if self._audience is not None and not self._meant_for_us(claims.aud):
            raise Refused("bad_token")
        if claims.nbf is not None and claims.nbf > at + self._leeway_s:
            raise Refused("bad_token")
        if claims.exp <= at - self._leeway_s:  # RFC 7519 4.1.4: on or after exp
            raise Refused("expired")
        return Actor(
            user=UserId(claims.sub),
            role=claims.role,
            room=RoomId(claims.room),
            tenant=None if claims.merchant is None else TenantId(claims.merchant),
            name=None if claims.name is None else clean_name(claims.name),
            age_band=claims.age_band,
            anonymous=claims.anon,
            expires_at=float(claims.exp),
        )

    def sign(self, actor: Actor, *, at: float, ttl_s: int) -> str:
        """Sign a token for an actor, valid from `at` (UTC seconds).

        Raises:
            Refused: `unavailable` when only the shop holds a signing key.

        """
        if self._secret is None:
            raise Refused("unavailable", "This server has no signing key of its own: set --secret.")
        return sign(
            actor,
            secret=self._secret,
            at=at,
            ttl_s=ttl_s,
            issuer=self._issuer,
            audience=self._audience,
        )

    def _read(self, token: str) -> _Claims:
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            raise Refused("bad_token")
        # The same token comes by join, hello, WHEP and each reconnect; its times are read anew.
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(digest)
        if claims is not None:
            self._verified.move_to_end(digest)
            return claims
        try:
            header = _HEADER.decode(_segment(token.partition(".")[0]))
            key, algorithm = self._key(header)
            payload = self._jws.decode_complete(token, key, algorithms=[algorithm])["payload"]
            claims = _CLAIMS.decode(payload)
        except (PyJWTError, ValueError, RecursionError) as error:
            raise Refused("bad_token") from error
        self._verified[digest] = claims
        if len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return claims

    def _key(self, header: _Header) -> tuple[str | PyJWK, str]:
        if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
            raise Refused("bad_token")  # RFC 7515 4.1.11: we understand no extension
        if header.typ is not None and header.typ.upper() not in ("JWT", "AT+JWT"):
            raise Refused("bad_token")  # RFC 8725 3.11
        if header.alg == "HS256" and self._secret is not None:
            return self._secret, "HS256"
        if header.kid is None and len(self._public) == 1:
            (key,) = self._public.values()
        else:
            key = self._public.get(header.kid) or _refuse()
        if key.algorithm_name != header.alg:
            raise Refused("bad_token")
        return key, header.alg

    def _meant_for_us(self, audience: object) -> bool:
        named = audience if isinstance(audience, list) else [audience]
        return self._audience in named


def _segment(text: str) -> bytes:
    """Decode a part of a token (RFC 7515 section 2: base64url without padding)."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refuse() -> PyJWK:
    raise Refused("bad_token")
