"""Refusals as problem documents (RFC 9457): a stable code and a sentence, the same everywhere."""

from http import HTTPStatus

import msgspec
from litestar.exceptions import HTTPException, MethodNotAllowedException

from liveroom.domain.refusals import REFUSALS, Refused
from liveroom.edge.api.table import Number

MEDIA_TYPE = "application/problem+json"
REALM = "liveroom"

CODE_OF_STATUS = {
    400: "bad_request",
    401: "bad_token",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}
"""Which of our codes says what the web framework refused by itself."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error: `code` is stable, `detail` says what to do, `field` names what was wrong."""

    type: str
    title: str
    status: Number
    detail: str
    code: str
    retry_ms: Number | None = None
    field: str | None = None


class InvalidFieldError(Refused):
    """A value of the body is out of its type or bounds."""

    def __init__(self, why: str, field: str) -> None:
        super().__init__("invalid", why)
        self.field = field


def problem_of(refused: Refused) -> Problem:
    """Describe a refusal."""
    return Problem(
        type=f"/docs#{refused.code}",
        title=HTTPStatus(refused.status).phrase,
        status=refused.status,
        detail=refused.why,
        code=refused.code,
        retry_ms=refused.retry_ms,
        field=getattr(refused, "field", None),
    )


def headers_of(refused: Refused) -> dict[str, str]:
    """Make the headers that belong to a refusal."""
    headers: dict[str, str] = {}
    if refused.status == 401:  # RFC 6750 section 3
        given = "" if refused.code == "no_token" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="{REALM}"{given}'
    if refused.retry_ms is not None:
        headers["Retry-After"] = str(-(-refused.retry_ms // 1000))
    return headers


def refusal_of(error: Exception) -> tuple[Refused, dict[str, str]]:
    """Translate any exception of a request into a refusal and its extra headers."""
    if isinstance(error, Refused):
        return error, headers_of(error)
    if isinstance(error, HTTPException):
        code = CODE_OF_STATUS.get(error.status_code)
        if code is not None:
            refused = Refused(code)
            headers = headers_of(refused)
            if isinstance(error, MethodNotAllowedException):  # RFC 9110 section 15.5.6
                headers["Allow"] = (error.headers or {})["allow"]
            return refused, headers
    return Refused("internal"), {}


def invalid_of(error: msgspec.ValidationError) -> InvalidFieldError:
    """Name the field that msgspec found wrong (its message ends in ``- at `$.path` ``)."""
    what, _, where = str(error).rpartition(" - at `$")
    if not what:
        missing = str(error).rpartition("`")[0].rpartition("`")[2]
        field = missing if "missing required field" in str(error) else ""
        return InvalidFieldError(f"{error}.", field)
    path = where.rstrip("`").lstrip(".")
    if "missing required field" in what:
        path = ".".join(part for part in (path, what.split("`")[-2]) if part)
    return InvalidFieldError(f"{path or 'body'}: {what}.", path)


assert set(CODE_OF_STATUS.values()) <= set(REFUSALS)
