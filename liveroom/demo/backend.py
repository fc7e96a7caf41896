"""The shop's own backend in the demo: signs tokens and talks to liveroom over REST only.

It does what a real merchant's server would: create the room, put products, import members and
their history, pin. It must not reach into the server.
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import jwt

from liveroom.client.visit import refusal_of
from liveroom.demo.shop import COUPONS, EVERYBODY, HOST, HOST_NAME, ITEMS, ROOM, ROOM_TITLE

TOKEN_TTL_S = 12 * 3_600


class ShopBackend:
    """Knows the signing secret, as the merchant does."""

    def __init__(self, base_url: str, secret: str, http: httpx.AsyncClient) -> None:
        self.base_url = base_url
        self._secret = secret
        self._http = http

    def token(self, user: str, role: str = "viewer", *, name: str | None = None) -> str:
        """Sign a token for the demo's room."""
        claims: dict[str, Any] = {
            "sub": user,
            "room": "*" if role in ("merchant", "admin") else ROOM,
            "role": role,
            "exp": int(time.time()) + TOKEN_TTL_S,
        }
        if name is not None:
            claims["name"] = name
        return jwt.encode(claims, self._secret, algorithm="HS256")

    async def open_shop(self) -> None:
        """Create the room, fill the shelves, import everybody with what they once bought."""
        merchant = self.token("merchant-xiaoman", "merchant")
        await self.post(
            "/v1/rooms", {"id": ROOM, "title": ROOM_TITLE, "host": HOST}, token=merchant
        )
        for item in ITEMS:
            await self.post("/v1/products", item.body(), token=merchant)
        for coupon in COUPONS:
            await self.post("/v1/coupons", coupon, token=merchant)
        host = {"id": HOST, "name": HOST_NAME, "age_band": "adult"}
        await self.post("/v1/members", host, token=merchant)
        now_ms = time.time_ns() // 1_000_000
        for guest in EVERYBODY:
            await self.post("/v1/members", guest.member(), token=merchant, key=f"import-{guest.id}")
            for order in guest.orders(now_ms):
                await self.post("/v1/orders", order, token=merchant, key=str(order["id"]))

    async def pin(self, product: str) -> None:
        """Pin a product as the host."""
        await self.post(
            f"/v1/rooms/{ROOM}/pin", {"product": product}, token=self.token(HOST, "host")
        )

    async def host_is_live(self) -> bool:
        """Whether anybody publishes in the room now."""
        reply = await self._http.get(f"{self.base_url}/v1/rooms/{ROOM}")
        return bool(reply.is_success and reply.json().get("live"))

    async def buy(self, token: str, product: str, *, quantity: int = 1) -> None:
        """Check out and pay, as the page of a buyer does."""
        checkout = await self.post(
            f"/v1/rooms/{ROOM}/checkouts",
            {"product": product, "quantity": quantity},
            token=token,
            key=uuid4().hex,
        )
        reply = await self._http.post(checkout["pay_url"])
        if reply.is_error:
            raise refusal_of(reply)

    async def post(
        self, path: str, body: Mapping[str, Any], *, token: str, key: str | None = None
    ) -> dict[str, Any]:
        """Send a command.

        Raises:
            CommandRefused: the server said no.

        """
        headers = {"Authorization": f"Bearer {token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        reply = await self._http.post(f"{self.base_url}{path}", json=body, headers=headers)
        if reply.is_error:
            raise refusal_of(reply)
        answer: dict[str, Any] = reply.json() if reply.content else {}
        return answer
