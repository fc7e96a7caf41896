"""The browser pages: built files out, with the headers that keep them safe and fast.

Pages themselves are asked for anew each time; what they load carries a hash in its name and
may be kept for ever. Without built pages it says which command builds them. It knows nothing
of rooms: a page asks the API with the token in its address.
"""

import hashlib
import html
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from liveroom.domain.refusals import Refused
from liveroom.edge.api.values import is_id

DIST = Path(__file__).resolve().parent.parent / "web" / "dist"

PAGE_FILES = {
    "/": "index.html",
    "/r/{room:str}": "room.html",
    "/studio/{room:str}": "studio.html",
    "/board/{room:str}": "board.html",
}

SHARED = "room.html"
"""The page whose address people send each other."""

MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
"""What is served; files of other kinds are not."""

IMMUTABLE = "public, max-age=31536000, immutable"
BUILD_COMMAND = "make install"
READING = [HttpMethod.GET, HttpMethod.HEAD]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def content_policy(
    *, gateway_url: str, http_url: str, payments: str | None, nodes: Iterable[str] = ()
) -> str:
    """Write the Content-Security-Policy of the pages: scripts from here, sockets to our own.

    `nodes` are the HTTP origins of other nodes, which may have the media.
    """
    connect = ["'self'", _origin(gateway_url), _origin(http_url), *map(_origin, nodes)]
    if payments is not None:
        connect.append(_origin(payments))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob: https:",
            "media-src 'self' blob: mediastream:",
            "font-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "connect-src " + " ".join(dict.fromkeys(connect)),
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def find_file(root: Path, name: str) -> Path:
    """Find a built file under a folder, never outside of it.

    Raises:
        Refused: `not_found`.

    """
    if "\x00" in name or len(name) > 512:
        raise Refused("not_found")
    path = (root / name.lstrip("/")).resolve()
    if not path.is_relative_to(root.resolve()) or path.suffix not in MEDIA_TYPES:
        raise Refused("not_found")
    if not path.is_file():
        raise Refused("not_found")
    return path


def _not_built() -> Response[bytes]:
    text = f"The pages are not built. Run: {BUILD_COMMAND}"
    page = f"<!doctype html><meta charset=utf-8><title>liveroom</title><p>{html.escape(text)}"
    return Response(
        page.encode(), status_code=503, media_type="text/html", headers={"Retry-After": "60"}
    )


def page_handlers(
    policy: Callable[[], str], *, origin: Callable[[], str], dist: Path = DIST
) -> list[HTTPRouteHandler]:
    """Make the routes of the pages and their files.

    Args:
        policy: gives the Content-Security-Policy, asked at each use.
        origin: gives the HTTP origin that clients are told, asked at each use.
        dist: the folder of built pages.

    """
    made = [_page(path, name, policy, origin, dist) for path, name in PAGE_FILES.items()]
    return [*made, _assets(dist), _top_level(dist)]


def _page(
    path: str, name: str, policy: Callable[[], str], origin: Callable[[], str], dist: Path
) -> HTTPRouteHandler:
    async def show_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        room = request.path_params.get("room")
        if room is not None and not is_id(room):
            raise Refused("no_such_room")
        if not (dist / name).is_file():
            return _not_built()
        content = (dist / name).read_bytes()
        if room is not None and name == SHARED:
            content = _with_picture(content, f"{origin()}/v1/rooms/{room}/preview.jpg")
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": "no-cache",
            "ETag": tag,
            "Content-Security-Policy": policy(),
            "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
        }
        if request.headers.get("if-none-match") == tag:
            return Response(b"", status_code=304, headers=headers)
        return Response(content, media_type=MEDIA_TYPES[".html"], headers=headers)

    return _reading(path, show_page)


def _with_picture(page: bytes, picture: str) -> bytes:
    """Tell whom the link is shared with what the host shows now (Open Graph)."""
    tag = f'<meta property="og:image" content="{html.escape(picture)}"></head>'
    return page.replace(b"</head>", tag.encode(), 1)


def _assets(dist: Path) -> HTTPRouteHandler:
    async def show_asset(request: Request[Any, Any, Any]) -> Response[bytes]:
        path = find_file(dist / "assets", str(request.path_params["name"]))
        return Response(
            path.read_bytes(),
            media_type=MEDIA_TYPES[path.suffix],
            headers={"Cache-Control": IMMUTABLE},
        )

    return _reading("/assets/{name:path}", show_asset)


def _top_level(dist: Path) -> HTTPRouteHandler:
    async def show_file(request: Request[Any, Any, Any]) -> Response[bytes]:
        path = find_file(dist, str(request.path_params["name"]))
        if path.suffix == ".html":
            raise Refused("not_found")
        return Response(
            path.read_bytes(),
            media_type=MEDIA_TYPES[path.suffix],
            headers={"Cache-Control": "public, max-age=3600"},
        )

    return _reading("/{name:str}", show_file)


def _reading(path: str, handle: Callable[..., Any]) -> HTTPRouteHandler:
    made = route(path, http_method=READING, status_code=200, include_in_schema=False)(handle)
    assert isinstance(made, HTTPRouteHandler)
    return made
