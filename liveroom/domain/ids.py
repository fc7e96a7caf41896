"""Identifiers, one type each, so that a room can never be passed where a user is meant.

Ids travel as text. Those made here come from an injected factory (`NewId`), which keeps
the domain free of randomness; those made by merchants (rooms, users, orders, products)
are checked at the edge against `ID_PATTERN`.
"""

from collections.abc import Callable
from typing import NewType

TenantId = NewType("TenantId", str)
RoomId = NewType("RoomId", str)
UserId = NewType("UserId", str)
EventId = NewType("EventId", str)
CommandId = NewType("CommandId", str)
OrderId = NewType("OrderId", str)
ProductId = NewType("ProductId", str)
BroadcastId = NewType("BroadcastId", str)

NewId = Callable[[], str]
"""Makes a fresh id that sorts by time of making."""

DEFAULT_TENANT = TenantId("default")

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$(?!\n)"
"""What an id given from outside may look like (at most 64 characters, safe in a path).

In Python `$` also matches before a final line feed; the look-ahead refuses that one.
"""
