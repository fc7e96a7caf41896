"""Notices that come in: read only with their signature, from provider, warehouse and courier.

`Liveroom-Signature: t=UNIX,v1=HEX` is an HMAC-SHA256 over `t.body` with the key shared with
whoever reports. Replays within the tolerance are harmless: every notice is taken once.
"""

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from liveroom.domain.ids import ID_PATTERN, OrderId, TenantId
from liveroom.domain.parcels import ADDRESS_FIELD_LENGTH_MAX, ParcelState
from liveroom.domain.refusals import Refused
from liveroom.service.parcelling import ShipmentNotice
from liveroom.service.paying import RefundNotice

SIGNATURE_HEADER: Final = "Liveroom-Signature"
TOLERANCE_S: Final = 300
"""An older or younger signature is refused, so that a notice cannot be replayed for ever."""

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_Id = Annotated[str, Meta(pattern=ID_PATTERN)]
_Text = Annotated[str, Meta(min_length=1, max_length=ADDRESS_FIELD_LENGTH_MAX)]

Notice = TypeVar("Notice", bound=msgspec.Struct)


class _Went(StrEnum):
    DONE = "done"
    FAILED = "failed"


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's word on a refund, by the id we sent."""

    refund: Annotated[str, Meta(min_length=1, max_length=200)]
    outcome: _Went


class _Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """The warehouse's word on the parcels of a merchant's order."""

    merchant: _Id
    order: _Id
    state: ParcelState
    carrier: _Text | None = None
    tracking: _Text | None = None


def sign(secret: str, body: bytes, *, at: int) -> str:
    """Write the signature header of a body sent at `at` (UTC seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def read_signed(
    wanted: type[Notice], body: bytes, signature: str, *, secret: str | None, at: int, whose: str
) -> Notice:
    """Verify a notice and decode it.

    Raises:
        Refused: `unavailable` without a shared key, `bad_token` for a wrong or old signature,
            `bad_request` or `invalid` for a body that is not a notice.

    """
    if secret is None:
        raise Refused("unavailable", f"No {whose} is configured.")
    found = _SIGNATURE.fullmatch(signature.replace(" ", ""))
    if found is None or abs(at - int(found[1])) > TOLERANCE_S:
        raise Refused("bad_token", "The notice is not signed, or not now.")
    if not hmac.compare_digest(sign(secret, body, at=int(found[1])), found[0]):
        raise Refused("bad_token", "The notice's signature is wrong.")
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        raise Refused("invalid", f"{error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("bad_request") from error


def read_refund_notice(body: bytes, signature: str, *, secret: str | None, at: int) -> RefundNotice:
    """Read the provider's word on a refund, as `read_signed` does."""
    notice = read_signed(_Refund, body, signature, secret=secret, at=at, whose="payment provider")
    return RefundNotice(refund=notice.refund, done=notice.outcome is _Went.DONE)


def read_shipment_notice(
    body: bytes, signature: str, *, secret: str | None, at: int
) -> ShipmentNotice:
    """Read the warehouse's word on a shipment, as `read_signed` does."""
    notice = read_signed(
        _Shipment, body, signature, secret=secret, at=at, whose="key of shipment notices"
    )
    return ShipmentNotice(
        tenant=TenantId(notice.merchant),
        order=OrderId(notice.order),
        state=notice.state,
        carrier=notice.carrier,
        tracking=notice.tracking,
    )
