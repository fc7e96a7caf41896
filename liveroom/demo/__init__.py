"""A whole shop on one machine: products, members, shoppers, a sandbox payment provider."""

from liveroom.demo.evening import run

__all__ = ["run"]
