"""The HTTP adapter of the payment port: asks a provider for payments, reads its notices.

Both directions carry `Liveroom-Signature: t=UNIX,v1=HEX`, an HMAC-SHA256 over `t.body` with
the key shared with the provider. What it says of money is believed only with that signature.
"""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import msgspec

from liveroom.domain.ids import ID_PATTERN, OrderId
from liveroom.domain.orders import AMOUNT_MAX
from liveroom.domain.refusals import Refused
from liveroom.edge.notices import SIGNATURE_HEADER, read_signed, sign
from liveroom.observe import logger
from liveroom.service.paying import Payment, PaymentNotice, PaymentOutcome

TIMEOUT_S = 5.0
"""A provider that does not answer within this is unavailable."""
ANSWER_BYTES_MAX = 16 * 1024

_Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2_048)]


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's answer to a new payment."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    pay_url: _Text


class _Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's word on a payment; the outcome is called `outcome` or `state`."""

    payment: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    order: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
    amount: _Amount
    outcome: PaymentOutcome | None = None
    state: PaymentOutcome | None = None


def read_notice(body: bytes, signature: str, *, secret: str | None, at: int) -> PaymentNotice:
    """Verify a notice and read it.

    Raises:
        Refused: `unavailable` without a provider, `bad_token` for a wrong or old signature,
            `bad_request` or `invalid` for a body that is not a notice.

    """
    notice = read_signed(_Notice, body, signature, secret=secret, at=at, whose="payment provider")
    outcome = notice.outcome or notice.state
    if outcome is None or outcome is not (notice.state or outcome):
        raise Refused("invalid", "outcome: say paid or failed, and only one of them.")
    return PaymentNotice(
        payment=notice.payment,
        order=OrderId(notice.order),
        amount=notice.amount,
        outcome=outcome,
    )


class HttpPayments:
    """Opens payments at a provider over HTTP; create is idempotent by order, as the port says.

    Args:
        url: the provider's address.
        secret: the key shared with it.
        notice_url: tells where the provider reports payments, asked at each use.
        now_ms: UTC milliseconds.
        transport: how to reach it, for tests.

    """

    def __init__(
        self,
        url: str,
        secret: str,
        notice_url: Callable[[], str],
        now_ms: Callable[[], int],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._secret = secret
        self._notice_url = notice_url
        self._now_ms = now_ms
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=transport
        )
        self._log = logger("payments")

    async def create(self, order: OrderId, amount: int, title: str) -> Payment:
        """Open a payment of `amount` fen for an order.

        Raises:
            Refused: `unavailable` when the provider does not answer as it should.

        """
        asked = {
            "order": order,
            "amount": amount,
            "title": title,
            "notice_url": self._notice_url(),
        }
        answer = await self._post(f"{self._url}/payments", asked)
        try:
            opened = msgspec.json.decode(answer, type=_Opened)
        except msgspec.DecodeError as error:
            raise self._refusal(str(error)) from error
        if not opened.pay_url.startswith(("http://", "https://")):
            raise self._refusal("pay_url is not an http address")
        return Payment(id=opened.id, pay_url=opened.pay_url)

    async def refund(self, refund: str, payment: str, amount: int) -> None:
        """Give `amount` fen of a payment back; the same `refund` again is the same one.

        Raises:
            Refused: `unavailable` when the provider does not answer as it should.

        """
        await self._post(
            f"{self._url}/payments/{quote(payment, safe='')}/refunds",
            {"id": refund, "amount": amount},
        )

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._http.aclose()

    async def _post(self, url: str, asked: dict[str, Any]) -> bytes:
        """Send a signed message; returns the body of a good answer."""
        body = msgspec.json.encode(asked)
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: sign(self._secret, body, at=self._now_ms() // 1000),
        }
        try:
            reply = await self._http.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise self._refusal(str(error)) from error
        if not reply.is_success or len(reply.content) > ANSWER_BYTES_MAX:
            raise self._refusal(f"status {reply.status_code}")
        return reply.content

    def _refusal(self, why: str) -> Refused:
        self._log.warning("payment_provider_failed", why=why)
        return Refused("unavailable", "The payment provider does not answer; try again.")
