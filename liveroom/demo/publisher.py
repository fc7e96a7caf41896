"""The process that publishes the demo's video: `python -m liveroom.demo.publisher SOURCE URL`.

Apart from the server's process, so that decoding and encoding never slow it; the token comes
in the environment, where other users of the machine cannot read it.
"""

import os
import sys
from typing import Final

from liveroom.client.publish import run
from liveroom.client.samples import SourceUnusable
from liveroom.client.sources import TEST, open_producer

TOKEN_VARIABLE: Final = "LIVEROOM_DEMO_TOKEN"  # noqa: S105 - a name, no secret


def main() -> int:
    """Publish until the session is lost or a signal comes; return the exit code."""
    source, url = sys.argv[1:]
    copy = source != TEST and _can_copy(source)
    return run(source, url, os.environ[TOKEN_VARIABLE], copy, once=True, quiet=True)


def _can_copy(source: str) -> bool:
    try:
        open_producer(source, copy=True).close()
    except SourceUnusable:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
