"""The composition root; nothing below imports it."""

from liveroom.app.application import App, run
from liveroom.app.identity import new_id, now_ms

__all__ = ["App", "new_id", "now_ms", "run"]
