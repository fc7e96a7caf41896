"""The few things read from a request of the web framework, as plain values."""

from typing import Any

from litestar import Request


def lower_headers(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Read the headers by lower-case name; of repeated ones the last counts."""
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in request.scope["headers"]
    }


def client_address(request: Request[Any, Any, Any]) -> str:
    """Tell the client's address, without the port."""
    client = request.scope.get("client")
    return client[0] if client else ""
