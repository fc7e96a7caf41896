"""A whole shop on one machine: products, members, shoppers, a sandbox payment provider."""


def run(for_s: float | None, source: str | None, headless: bool) -> int:
    """Open the shop until a signal, or for so many seconds; return the exit code."""
    # Imported late: the publisher's process needs the package but not the server in it.
    from liveroom.demo.evening import run as open_shop

    return open_shop(for_s, source, headless)
