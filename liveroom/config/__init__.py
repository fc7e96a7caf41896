"""Settings: one frozen Config out of flags, the environment, liveroom.toml and defaults.

It knows nothing of what the settings do.
"""

from liveroom.config.limits import Limits
from liveroom.config.loading import ConfigError, Setting, load, settings
from liveroom.config.parsing import Address, parse_address
from liveroom.config.settings import Config

__all__ = [
    "Address",
    "Config",
    "ConfigError",
    "Limits",
    "Setting",
    "load",
    "parse_address",
    "settings",
]
