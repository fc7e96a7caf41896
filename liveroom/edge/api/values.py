"""Reading what came: JSON into a wire type, strictly, and ids against their pattern."""

import re
from functools import cache
from typing import Any, TypeVar

import msgspec

from liveroom.domain.ids import ID_PATTERN
from liveroom.domain.refusals import Refused
from liveroom.edge.api.problems import invalid_of

Body = TypeVar("Body", bound=msgspec.Struct)

NOT_JSON = "The body is not well-formed JSON (RFC 8259)."

_ID = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Whether a text may be an id given from outside."""
    return _ID.search(text) is not None


@cache
def _decoder(wanted: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted, strict=True)


def decode(wanted: type[Body], raw: bytes) -> Body:
    """Decode a JSON body: no coercion, unknown keys ignored, every bound checked.

    Raises:
        Refused: `bad_request` when it is not JSON, `invalid` with the field when it is wrong.

    """
    try:
        raw.decode()  # the decoder does not look into the texts of unknown keys
        body: Body = _decoder(wanted).decode(raw)
    except msgspec.ValidationError as error:
        _check_well_formed(raw)
        raise invalid_of(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_request", NOT_JSON) from error
    return body


def _check_well_formed(raw: bytes) -> None:
    """Refuse what is no JSON at all, before any field of it is blamed."""
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refused("bad_request", NOT_JSON) from error


def check_json(content_type: str | None) -> None:
    """Refuse a body that does not call itself JSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused("unsupported_media_type", "Send Content-Type: application/json.")
