"""STUN binding requests and their answers (RFC 8489), as much as ICE needs (RFC 8445).

In: datagrams. Out: frozen values, or None for everything that is not exactly what ICE asks
for; no input raises. The server side is lite: it parses requests and writes successes; the
client side (our own light clients) writes requests and parses successes. Passwords are
arguments; who owns which is not known here.
"""

import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

MAGIC_COOKIE = 0x2112A442
HEADER_BYTES = 20
TRANSACTION_BYTES = 12
ATTRIBUTES_MAX = 32
"""More attributes than this and the message is not a binding request of ours."""
USERNAME_BYTES_MAX = 513
"""RFC 8489 section 14.3: fewer than 509 bytes; two ufrags of 256 and a colon are the ICE limit."""

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_BYTES = 20
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")


class _Attribute(IntEnum):
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_UNDERSTOOD = frozenset(_Attribute) | {0x0001, 0x0014, 0x0015}
"""Ours, plus MAPPED-ADDRESS, REALM and NONCE, which are harmless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRequest:
    """A well-formed check with MESSAGE-INTEGRITY; it is not verified yet (`verify_integrity`)."""

    transaction: bytes
    username: str
    priority: int | None = None
    use_candidate: bool = False
    controlling: int | None = None
    controlled: int | None = None


@dataclass(frozen=True, slots=True)
class BindingSuccess:
    """An answer to a check: the address from which the other side saw it come."""

    transaction: bytes
    address: tuple[str, int]


def parse_request(data: bytes) -> BindingRequest | None:
    """Read a binding request that carries USERNAME, MESSAGE-INTEGRITY and a right FINGERPRINT."""
    attributes = _attributes(data, _BINDING_REQUEST)
    if attributes is None or _Attribute.MESSAGE_INTEGRITY not in attributes:
        return None
    username = attributes.get(_Attribute.USERNAME)
    if not username or len(username) > USERNAME_BYTES_MAX:
        return None
    try:
        name = username.decode()
    except UnicodeDecodeError:
        return None
    numbers: dict[int, int | None] = {}
    for kind, size in (
        (_Attribute.PRIORITY, 4),
        (_Attribute.ICE_CONTROLLING, 8),
        (_Attribute.ICE_CONTROLLED, 8),
    ):
        value = attributes.get(kind)
        if value is not None and len(value) != size:
            return None
        numbers[kind] = None if value is None else int.from_bytes(value, "big")
    return BindingRequest(
        transaction=data[8:HEADER_BYTES],
        username=name,
        priority=numbers[_Attribute.PRIORITY],
        use_candidate=_Attribute.USE_CANDIDATE in attributes,
        controlling=numbers[_Attribute.ICE_CONTROLLING],
        controlled=numbers[_Attribute.ICE_CONTROLLED],
    )


def parse_success(data: bytes) -> BindingSuccess | None:
    """Read a binding success that carries XOR-MAPPED-ADDRESS and MESSAGE-INTEGRITY."""
    attributes = _attributes(data, _BINDING_SUCCESS)
    if attributes is None or _Attribute.MESSAGE_INTEGRITY not in attributes:
        return None
    value = attributes.get(_Attribute.XOR_MAPPED_ADDRESS)
    if value is None:
        return None
    transaction = data[8:HEADER_BYTES]
    address = _parse_address(value, transaction)
    return None if address is None else BindingSuccess(transaction, address)


def verify_integrity(data: bytes, password: str) -> bool:
    """Say whether the MESSAGE-INTEGRITY of a parsed message was made with `password`."""
    at = _find_integrity(data)
    if at is None:
        return False
    made = _integrity(data[:at], password)
    return hmac.compare_digest(made, data[at + 4 : at + 4 + _INTEGRITY_BYTES])


def write_success(transaction: bytes, address: tuple[str, int], password: str) -> bytes:
    """Write the answer to a verified check that came from `address` (IPv4 or IPv6)."""
    mapped = _write_attribute(_Attribute.XOR_MAPPED_ADDRESS, _write_address(address, transaction))
    return _write_message(_BINDING_SUCCESS, transaction, mapped, password)


def write_request(
    transaction: bytes,
    *,
    username: str,
    password: str,
    priority: int,
    use_candidate: bool = False,
    controlling: int | None = None,
    controlled: int | None = None,
) -> bytes:
    """Write a check; `username` is "remote-ufrag:local-ufrag", `password` the remote one."""
    parts = [
        _write_attribute(_Attribute.USERNAME, username.encode()),
        _write_attribute(_Attribute.PRIORITY, priority.to_bytes(4, "big")),
    ]
    if controlling is not None:
        parts.append(_write_attribute(_Attribute.ICE_CONTROLLING, controlling.to_bytes(8, "big")))
    if controlled is not None:
        parts.append(_write_attribute(_Attribute.ICE_CONTROLLED, controlled.to_bytes(8, "big")))
    if use_candidate:
        parts.append(_write_attribute(_Attribute.USE_CANDIDATE, b""))
    return _write_message(_BINDING_REQUEST, transaction, b"".join(parts), password)


def _attributes(data: bytes, message_type: int) -> dict[int, bytes] | None:
    """Walk the attributes of a message of the wanted type; the first of a kind counts."""
    if len(data) < HEADER_BYTES:
        return None
    kind, length, cookie, _ = _HEADER.unpack_from(data)
    if kind != message_type or cookie != MAGIC_COOKIE:
        return None
    if length != len(data) - HEADER_BYTES or length % 4:
        return None
    found: dict[int, bytes] = {}
    at = HEADER_BYTES
    for _ in range(ATTRIBUTES_MAX):
        if at == len(data):
            break
        # Lengths are multiples of four (checked above), so a header always fits here.
        attribute, size = _ATTRIBUTE.unpack_from(data, at)
        end = at + 4 + size
        if end > len(data):
            return None
        if attribute == _Attribute.FINGERPRINT:
            # RFC 8489 section 14.7: it is the last one and covers all before it.
            right = size == 4 and end == len(data) and data[at + 4 :] == _fingerprint(data[:at])
            return found if right else None
        if attribute < 0x8000 and attribute not in _UNDERSTOOD:
            return None
        # RFC 8489 section 14.5: what follows MESSAGE-INTEGRITY is not protected, so ignored.
        if _Attribute.MESSAGE_INTEGRITY not in found:
            if attribute == _Attribute.MESSAGE_INTEGRITY and size != _INTEGRITY_BYTES:
                return None
            found.setdefault(attribute, data[at + 4 : end])
        at = end + (-size % 4)
    return None


def _find_integrity(data: bytes) -> int | None:
    at = HEADER_BYTES
    while at + 4 + _INTEGRITY_BYTES <= len(data):
        attribute, size = _ATTRIBUTE.unpack_from(data, at)
        if attribute == _Attribute.MESSAGE_INTEGRITY:
            return at if size == _INTEGRITY_BYTES else None
        at += 4 + size + (-size % 4)
    return None


def _integrity(head: bytes, password: str) -> bytes:
    # RFC 8489 section 14.5: the length field counts up to the end of this attribute.
    length = len(head) - HEADER_BYTES + 4 + _INTEGRITY_BYTES
    counted = head[:2] + (length & 0xFFFF).to_bytes(2, "big") + head[4:]
    return hmac.digest(password.encode(), counted, "sha1")


def _fingerprint(head: bytes) -> bytes:
    counted = head[:2] + (len(head) - HEADER_BYTES + 8).to_bytes(2, "big") + head[4:]
    return (zlib.crc32(counted) ^ _FINGERPRINT_XOR).to_bytes(4, "big")


def _write_attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _write_message(kind: int, transaction: bytes, attributes: bytes, password: str) -> bytes:
    head = _HEADER.pack(kind, len(attributes) + 32, MAGIC_COOKIE, transaction) + attributes
    head += _write_attribute(_Attribute.MESSAGE_INTEGRITY, _integrity(head, password))
    return head + _write_attribute(_Attribute.FINGERPRINT, _fingerprint(head))


def _mask(family: int, transaction: bytes) -> bytes:
    cookie = MAGIC_COOKIE.to_bytes(4, "big")
    return cookie if family == 1 else cookie + transaction


def _parse_address(value: bytes, transaction: bytes) -> tuple[str, int] | None:
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        return None
    port = int.from_bytes(value[2:4], "big") ^ (MAGIC_COOKIE >> 16)
    plain = bytes(a ^ b for a, b in zip(value[4:], _mask(value[1], transaction), strict=True))
    return str(ipaddress.ip_address(plain)), port


def _write_address(address: tuple[str, int], transaction: bytes) -> bytes:
    host = ipaddress.ip_address(address[0].partition("%")[0])
    # A dual-stack socket names IPv4 peers ::ffff:a.b.c.d; the peer knows itself as a.b.c.d.
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    family = 1 if host.version == 4 else 2
    port = address[1] ^ (MAGIC_COOKIE >> 16)
    hidden = bytes(a ^ b for a, b in zip(host.packed, _mask(family, transaction), strict=True))
    return bytes((0, family)) + port.to_bytes(2, "big") + hidden
