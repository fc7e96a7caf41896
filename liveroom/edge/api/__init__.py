"""REST: one table of routes, split by noun; a request becomes a call, a service answers it.

`table` says what a route is, `access` who may, `problems` how a refusal looks; each noun's
file holds its wire types, its handlers and its rows; `application` makes the ASGI app.
"""

from liveroom.edge.api.application import build_api
from liveroom.edge.api.backend import Addresses, Backend, Readiness

__all__ = ["Addresses", "Backend", "Readiness", "build_api"]
