"""Tokens: what we sign verifies anywhere; nothing hostile ever becomes an actor."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.edge.tokens import TOKEN_BYTES_MAX, Tokens, public_keys

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0
CLAIMS: dict[str, Any] = {"sub": "ann", "room": "r1", "role": "viewer", "exp": NOW + 60}

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OKP_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, algorithm: str, **extra: Any) -> dict[str, Any]:
    found = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key()))
    found.pop("key_ops", None)
    return found | extra


JWKS = {
    "keys": [
        jwk(RSA_KEY, "RS256", kid="rsa", use="sig"),
        jwk(EC_KEY, "ES256", kid="ec", alg="ES256"),
        jwk(OKP_KEY, "EdDSA", kid="okp"),
    ]
}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: Any, claims: Any = CLAIMS, *, secret: bytes = SECRET.encode()) -> str:
    """Sign anything at all with HMAC-SHA256, by hand."""
    head = b64(header if isinstance(header, bytes) else json.dumps(header).encode())
    body = b64(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    mac = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{b64(mac)}"


HS = {"alg": "HS256", "typ": "JWT"}


def refusal(tokens: Tokens, token: str, at: float = NOW) -> str:
    with pytest.raises(Refused) as refused:
        tokens.verify(token, at=at)
    return refused.value.code


def test_what_is_signed_here_verifies_here_and_with_a_plain_library() -> None:
    tokens = Tokens(secret=SECRET)
    actor = Actor(
        user=UserId("ann"),
        role=Role.HOST,
        room=RoomId("*"),
        tenant=TenantId("shop"),
        name="安 👩‍🌾",
        age_band=AgeBand.ADULT,
        expires_at=NOW + 60,
    )
    token = tokens.sign(actor, at=NOW, ttl_s=60)
    found = tokens.verify(token, at=NOW)
    assert (found.user, found.role, found.room, found.tenant) == ("ann", "host", "*", "shop")
    assert found.age_band is AgeBand.ADULT
    assert found.expires_at == NOW + 60
    options: Any = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, SECRET, algorithms=["HS256"], options=options)["merchant"] == "shop"


def test_an_anonymous_visitor_stays_anonymous() -> None:
    tokens = Tokens(secret=SECRET)
    actor = Actor(user=UserId("a"), role=Role.VIEWER, room=RoomId("r"), anonymous=True)
    assert tokens.verify(tokens.sign(actor, at=NOW, ttl_s=60), at=NOW).anonymous
    assert not tokens.verify(forged(HS), at=NOW).anonymous


def test_a_token_ends_at_its_expiry_to_the_second_and_by_the_leeway() -> None:
    strict, lenient = Tokens(secret=SECRET), Tokens(secret=SECRET, leeway_s=5)
    token = forged(HS)
    assert strict.verify(token, at=NOW + 59.9).user == "ann"
    assert refusal(strict, token, NOW + 60) == "expired"
    assert lenient.verify(token, at=NOW + 64).user == "ann"
    assert refusal(lenient, token, NOW + 65) == "expired"


def test_a_token_that_was_good_before_still_ends_and_no_other_profits_from_it() -> None:
    tokens = Tokens(secret=SECRET)
    token = forged(HS)
    assert tokens.verify(token, at=NOW) == tokens.verify(token, at=NOW + 1)
    assert refusal(tokens, token, at=NOW + 60) == "expired"
    assert refusal(tokens, token[:-4] + "AAAA") == "bad_token"
    assert refusal(tokens, forged(HS, CLAIMS | {"sub": "bob"}, secret=b"x" * 32)) == "bad_token"


def test_only_so_many_verified_tokens_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveroom.edge.tokens.VERIFIED_MAX", 2)
    tokens = Tokens(secret=SECRET)
    for sub in ("a", "b", "c", "a"):
        assert tokens.verify(forged(HS, CLAIMS | {"sub": sub}), at=NOW).user == sub
    assert len(tokens._verified) == 2


def test_a_token_is_not_valid_before_its_time() -> None:
    token = forged(HS, CLAIMS | {"nbf": NOW + 10})
    assert refusal(Tokens(secret=SECRET), token) == "bad_token"
    assert Tokens(secret=SECRET).verify(token, at=NOW + 10).user == "ann"


def test_issuer_and_audience_count_only_where_configured() -> None:
    foreign = forged(HS, CLAIMS | {"iss": "other", "aud": "other"})
    strict = Tokens(secret=SECRET, issuer="shop", audience="live")
    assert Tokens(secret=SECRET).verify(foreign, at=NOW).user == "ann"
    assert refusal(strict, foreign) == "bad_token"
    assert refusal(strict, forged(HS)) == "bad_token"
    assert refusal(strict, forged(HS, CLAIMS | {"iss": "shop", "aud": "x"})) == "bad_token"
    both = CLAIMS | {"iss": "shop", "aud": ["x", "live"]}
    assert strict.verify(forged(HS, both), at=NOW).user == "ann"
    mine = Actor(user=UserId("a"), role=Role.VIEWER, room=RoomId("r"))
    assert strict.verify(strict.sign(mine, at=NOW, ttl_s=9), at=NOW).user == "a"


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "a" * 65},
        {"sub": "../admin"},
        {"sub": "a\n"},
        {"sub": ["ann"]},
        {"room": ""},
        {"room": "**"},
        {"room": "*\n"},
        {"room": "a/b"},
        {"room": None},
        {"role": "root"},
        {"role": "Admin"},
        {"role": ["admin"]},
        {"role": None},
        {"exp": str(int(NOW) + 60)},
        {"exp": None},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**30},
        {"exp": 1e300},
        {"exp": [NOW + 60]},
        {"nbf": "0"},
        {"merchant": ""},
        {"merchant": "a b"},
        {"merchant": 1},
        {"age_band": "elder"},
        {"anon": "false"},
        {"anon": 0},
        {"name": 5},
    ],
    ids=str,
)
def test_a_claim_out_of_its_type_or_bounds_is_refused(changed: dict[str, Any]) -> None:
    assert refusal(Tokens(secret=SECRET), forged(HS, CLAIMS | changed)) == "bad_token"


@pytest.mark.parametrize("name", ["sub", "room", "role", "exp"])
def test_a_required_claim_may_not_be_missing(name: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    assert refusal(Tokens(secret=SECRET), forged(HS, claims)) == "bad_token"


def test_unknown_claims_are_ignored() -> None:
    assert Tokens(secret=SECRET).verify(forged(HS, CLAIMS | {"x": {"y": [1]}}), at=NOW)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "empty"),
        ("a", "one segment"),
        ("a.b", "two segments"),
        ("a.b.c", "not base64"),
        ("...", "empty segments"),
        ("é.é.é", "not ASCII"),
        ("\x00", "binary"),
        (forged(HS) + ".x", "four segments"),
        (forged(HS)[:-2], "cut signature"),
        (forged(HS).rpartition(".")[0] + ".", "no signature"),
        (forged(HS, secret=b"x" * 32), "other secret"),
        (forged(HS, secret=b""), "empty secret"),
        (forged({"alg": "none"}).rpartition(".")[0] + ".", "alg none, unsigned"),
        (forged({"alg": "none"}), "alg none, signed"),
        (forged({"alg": "NonE"}), "alg none in other letters"),
        (forged({"alg": "hs256"}), "alg in small letters"),
        (forged({"alg": "HS512"}), "other alg"),
        (forged({"alg": ["HS256"]}), "alg as list"),
        (forged({"alg": None}), "alg null"),
        (forged({}), "no alg"),
        (forged([]), "header is a list"),
        (forged(b"\xff"), "header is binary"),
        (forged(HS | {"kid": 5}), "kid as number"),
        (forged(HS | {"kid": "x" * 200}), "long kid"),
        (forged(HS | {"crit": ["b64"], "b64": False}), "unencoded payload"),
        (forged(HS | {"crit": ["exp"]}), "critical extension"),
        (forged(HS | {"typ": "logout+jwt"}), "other kind of token"),
        (forged(HS, b"[" * 4000), "deep payload"),
        (forged(HS, b"null"), "payload null"),
        (forged(HS, b'{"sub":NaN}'), "payload NaN"),
        (forged(HS, CLAIMS | {"name": "x" * TOKEN_BYTES_MAX}), "huge"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_a_hostile_token_is_refused(token: str, why: str) -> None:
    assert refusal(Tokens(secret=SECRET), token) == "bad_token", why
    assert refusal(Tokens(secret=SECRET, jwks=JWKS), token) == "bad_token", why


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (OKP_KEY, "EdDSA", "okp")],
)
def test_each_public_key_verifies_with_its_own_algorithm(
    key: Any, algorithm: str, kid: str
) -> None:
    tokens = Tokens(jwks=JWKS)
    token = jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": kid})
    assert tokens.verify(token, at=NOW).user == "ann"
    for other in ("rsa", "ec", "okp", "unknown", "../../etc/passwd", "' or 1=1 --"):
        if other != kid:
            swapped = jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"kid": other})
            assert refusal(tokens, swapped) == "bad_token"
    assert refusal(tokens, jwt.encode(CLAIMS, key, algorithm=algorithm)) == "bad_token"


def test_a_public_key_is_never_taken_as_an_hmac_secret() -> None:
    pem = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for secret in (pem, json.dumps(JWKS["keys"][0]).encode()):
        for tokens in (Tokens(jwks=JWKS), Tokens(secret=SECRET, jwks=JWKS)):
            assert refusal(tokens, forged(HS | {"kid": "rsa"}, secret=secret)) == "bad_token"


def test_keys_named_by_the_token_itself_are_ignored() -> None:
    tokens = Tokens(jwks=JWKS)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for extra in (
        {"jwk": jwk(stranger, "RS256")},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
    ):
        headers = {"kid": "rsa"} | extra
        token = jwt.encode(CLAIMS, stranger, algorithm="RS256", headers=headers)
        assert refusal(tokens, token) == "bad_token"


def test_without_a_secret_nothing_is_signed_and_it_says_so() -> None:
    with pytest.raises(Refused, match="--secret"):
        Tokens(jwks=JWKS).sign(
            Actor(user=UserId("a"), role=Role.VIEWER, room=RoomId("r")), at=NOW, ttl_s=60
        )


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "list"),
        ({"keys": []}, "no RS256"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "no RS256"),
        ({"keys": [jwk(RSA_KEY, "RS256", use="enc")]}, "no RS256"),
        ({"keys": [jwk(RSA_KEY, "RS256", alg="RS512")]}, "no RS256"),
        ({"keys": [jwk(RSA_KEY, "RS256", d="AQAB")]}, "private"),
        ({"keys": [jwk(RSA_KEY, "RS256"), jwk(EC_KEY, "ES256", kid="a")]}, "kid"),
        ({"keys": [jwk(RSA_KEY, "RS256", kid="a"), jwk(EC_KEY, "ES256", kid="a")]}, "same kid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_key_set_is_refused_at_start(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        public_keys(keys)


def test_a_display_name_is_made_printable_and_cut() -> None:
    name = "a\u202eb\u200bc\x00\r\n" + "x" * 500
    found = Tokens(secret=SECRET).verify(forged(HS, CLAIMS | {"name": name}), at=NOW).name
    assert found == "abc" + "x" * 61
    assert Tokens(secret=SECRET).verify(forged(HS, CLAIMS | {"name": "\n"}), at=NOW).name is None
