"""The engagement server behind a live room: gateway, bus, ledger, recognition."""

__version__ = "0.1.0"
