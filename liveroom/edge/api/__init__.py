"""REST: one table of routes, split by noun; a request becomes a call, a service answers it.

`table` says what a route is, `access` who may, `problems` how a refusal looks; each noun's
file holds its wire types, its handlers and its rows; `application` makes the ASGI app.
"""
