"""Reads the JSON Web Key Set of the tokens' issuer, once at the start."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec

JWKS_WITHIN_S = 10.0


async def read_key_set(source: str | None) -> Mapping[str, object] | None:
    """Read a JSON Web Key Set from a file or an address.

    Raises:
        ValueError: it cannot be read.

    """
    if source is None:
        return None
    try:
        if source.startswith(("https://", "http://")):
            async with httpx.AsyncClient(timeout=JWKS_WITHIN_S) as client:
                content = (await client.get(source)).raise_for_status().content
        else:
            content = await asyncio.to_thread(Path(source).read_bytes)
        return msgspec.json.decode(content, type=dict[str, object])
    except (httpx.HTTPError, OSError, msgspec.DecodeError) as error:
        raise ValueError(f"The key set {source} cannot be read: {error}.") from error
