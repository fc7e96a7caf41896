"""The Python client: room websocket, WHIP publisher, WHEP viewer.

Used by `liveroom publish`, the demo, the benchmarks and the tests. Nothing of the server
imports it, and it knows the server only by its wire.
"""
