"""A sandbox payment provider: takes no money, but speaks as one would, over real HTTP.

The shop opens a payment (`POST /payments`, signed), the buyer's browser settles it
(`POST /pay/{id}`, any origin), and the provider reports it to the shop (`POST` to the notice
address, signed, repeated until it is taken). Signatures are
`Liveroom-Signature: t=UNIX,v1=HEX` over `t.body`. It knows the shop only by these messages.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.config.cors import CORSConfig

SIGNATURE_HEADER: Final = "Liveroom-Signature"
SIGNATURE_AGE_S_MAX: Final = 300
PAYMENTS_MAX: Final = 10_000
"""Payments remembered; the oldest are forgotten."""
NOTICE_DELAYS_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""When a notice is sent, and sent again if the shop did not take it."""
NOTICE_TIMEOUT_S: Final = 5.0


def sign(secret: str, body: bytes, *, at: int) -> str:
    """Write the signature header of a body sent at `at` (UTC seconds)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def is_genuine(secret: str, body: bytes, header: str, *, at: int) -> bool:
    """Check a signature header, its age included."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit()) or abs(at - int(stamp)) > SIGNATURE_AGE_S_MAX:
        return False
    return hmac.compare_digest(sign(secret, body, at=int(stamp)), header.replace(" ", ""))


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop sends to open a payment; `amount` in minor units."""

    order: str
    amount: int
    title: str = ""
    notice_url: str | None = None


class Refunding(msgspec.Struct, frozen=True, kw_only=True):
    """What the shop sends to give money back; `id` makes it one refund however often it comes."""

    id: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPayment:
    """One payment as the provider knows it."""

    id: str
    order: str
    amount: int
    title: str
    notice_url: str
    settled: bool = False


class PaymentSandbox:
    """The provider and its HTTP server; it runs on the loop that starts it.

    Args:
        secret: the key shared with the shop.
        notice_url: where payments are reported when the shop names no address.
        new_id: makes payment ids.

    """

    def __init__(self, secret: str, notice_url: str, new_id: Callable[[], str]) -> None:
        self._secret = secret
        self._notice_url = notice_url
        self._new_id = new_id
        self._payments: dict[str, SandboxPayment] = {}
        self._by_order: dict[str, str] = {}
        self._notices: set[asyncio.Task[None]] = set()
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.url = ""
        self.noticed = 0
        self.refunds: dict[str, tuple[str, int]] = {}

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `url` is set afterwards."""
        config = uvicorn.Config(
            self._build(), host=host, port=port, log_level="warning", lifespan="off", ws="none"
        )
        self._server = _Server(config)
        listener = config.bind_socket()
        self.url = f"http://{host}:{listener.getsockname()[1]}"
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        self._serving.add_done_callback(lambda _: listener.close())
        await self._server.listening.wait()

    async def stop(self) -> None:
        """Stop listening and give up on notices still to be sent."""
        for notice in self._notices:
            notice.cancel()
        await asyncio.gather(*self._notices, return_exceptions=True)
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving

    def open(self, opening: Opening) -> SandboxPayment:
        """Open a payment; the same order again is the same payment."""
        known = self._by_order.get(opening.order)
        if known is not None:
            return self._payments[known]
        payment = SandboxPayment(
            id=self._new_id(),
            order=opening.order,
            amount=opening.amount,
            title=opening.title,
            notice_url=opening.notice_url or self._notice_url,
        )
        if len(self._payments) >= PAYMENTS_MAX:
            oldest = self._payments.pop(next(iter(self._payments)))
            self._by_order.pop(oldest.order, None)
        self._payments[payment.id] = payment
        self._by_order[payment.order] = payment.id
        return payment

    def settle(self, id: str) -> SandboxPayment | None:
        """Let the buyer pay; the shop is told once it was, None if there is no such payment."""
        payment = self._payments.get(id)
        if payment is None or payment.settled:
            return payment
        settled = SandboxPayment(
            id=payment.id,
            order=payment.order,
            amount=payment.amount,
            title=payment.title,
            notice_url=payment.notice_url,
            settled=True,
        )
        self._payments[id] = settled
        notice = asyncio.create_task(self._notify(settled))
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)
        return settled

    def refund(self, id: str, asked: Refunding) -> str | None:
        """Give a part of a payment back, once for each refund's id; returns why not."""
        payment = self._payments.get(id)
        if payment is None or not payment.settled:
            return "no_such_payment"
        if asked.id in self.refunds:
            return None if self.refunds[asked.id] == (id, asked.amount) else "other_refund"
        given = sum(amount for of, amount in self.refunds.values() if of == id)
        if asked.amount <= 0 or given + asked.amount > payment.amount:
            return "more_than_paid"
        self.refunds[asked.id] = (id, asked.amount)
        return None

    async def _notify(self, payment: SandboxPayment) -> None:
        body = msgspec.json.encode(
            {
                "payment": payment.id,
                "order": payment.order,
                "amount": payment.amount,
                "outcome": "paid",
            }
        )
        async with httpx.AsyncClient(timeout=NOTICE_TIMEOUT_S) as http:
            for delay_s in NOTICE_DELAYS_S:
                await asyncio.sleep(delay_s)
                headers = {
                    "Content-Type": "application/json",
                    SIGNATURE_HEADER: sign(self._secret, body, at=int(time.time())),
                }
                try:
                    reply = await http.post(payment.notice_url, content=body, headers=headers)
                except httpx.TransportError:
                    continue
                if reply.is_success:
                    self.noticed += 1
                    return

    def _build(self) -> Litestar:
        @post("/payments", status_code=201)
        async def open_payment(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
            body = await request.body()
            header = request.headers.get(SIGNATURE_HEADER, "")
            if not is_genuine(self._secret, body, header, at=int(time.time())):
                return Response({"code": "bad_signature"}, status_code=401)
            try:
                opening = msgspec.json.decode(body, type=Opening)
            except msgspec.DecodeError as error:
                return Response({"code": "invalid", "detail": str(error)}, status_code=422)
            if opening.amount <= 0:
                return Response({"code": "invalid", "detail": "amount"}, status_code=422)
            return Response(self._shown(self.open(opening)), status_code=201)

        @post("/payments/{payment:str}/refunds", status_code=201)
        async def refund(payment: str, request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
            body = await request.body()
            header = request.headers.get(SIGNATURE_HEADER, "")
            if not is_genuine(self._secret, body, header, at=int(time.time())):
                return Response({"code": "bad_signature"}, status_code=401)
            try:
                asked = msgspec.json.decode(body, type=Refunding)
            except msgspec.DecodeError as error:
                return Response({"code": "invalid", "detail": str(error)}, status_code=422)
            refused = self.refund(payment, asked)
            if refused is not None:
                return Response({"code": refused}, status_code=409)
            return Response({"id": asked.id, "amount": asked.amount}, status_code=201)

        @post("/pay/{payment:str}", status_code=200)
        async def pay(payment: str) -> Response[dict[str, Any]]:
            settled = self.settle(payment)
            if settled is None:
                return Response({"code": "no_such_payment"}, status_code=404)
            return Response(self._shown(settled))

        @get("/pay/{payment:str}")
        async def show(payment: str) -> Response[dict[str, Any]]:
            known = self._payments.get(payment)
            if known is None:
                return Response({"code": "no_such_payment"}, status_code=404)
            return Response(self._shown(known))

        return Litestar(
            [open_payment, refund, pay, show],
            cors_config=CORSConfig(allow_origins=["*"], allow_methods=["GET", "POST", "OPTIONS"]),
            openapi_config=None,
            logging_config=None,
        )

    def _shown(self, payment: SandboxPayment) -> dict[str, Any]:
        return {
            "id": payment.id,
            "order": payment.order,
            "amount": payment.amount,
            "title": payment.title,
            "state": "paid" if payment.settled else "open",
            "pay_url": f"{self.url}/pay/{payment.id}",
        }


class _Server(uvicorn.Server):
    """Uvicorn that leaves the process's signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    async def serve(self, sockets: Any = None) -> None:
        await self._serve(sockets)
