"""One route that only a demo has: links with roles, so that the landing page can offer them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler


class DemoLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that just opens; `role` is viewer, host or merchant."""

    role: str
    title: str
    url: str


DemoLinks = Callable[[], Sequence[DemoLink]]


def demo_handler(links: DemoLinks) -> HTTPRouteHandler:
    """Make the route `GET /v1/demo/links`."""

    async def show_links() -> Response[bytes]:
        body: dict[str, Any] = {"links": list(links())}
        return Response(msgspec.json.encode(body), media_type="application/json")

    made = route(
        "/v1/demo/links", http_method=HttpMethod.GET, status_code=200, include_in_schema=False
    )(show_links)
    assert isinstance(made, HTTPRouteHandler)
    return made
