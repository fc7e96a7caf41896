"""The API's own description, made from its rows: OpenAPI 3.1 and a page for people."""

import html
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from liveroom import __version__
from liveroom.domain.actors import Role
from liveroom.domain.refusals import REFUSALS
from liveroom.edge.api.problems import MEDIA_TYPE, Problem
from liveroom.edge.api.table import Access, Credential, Key, Row

ALWAYS = ("internal",)
TOKEN_CODES = ("no_token", "bad_token", "expired", "forbidden")
ROOM_CODES = ("no_such_room", "other_room")
BODY_CODES = ("bad_request", "invalid", "too_large", "unsupported_media_type")

MEDIA_SUMMARIES = {
    "whip": "Publish (RFC 9725): host, or guest with a seat.",
    "whep": "Watch (WHEP): any token of the room.",
}


def codes_of(row: Row) -> tuple[str, ...]:
    """List every code that a route may answer."""
    codes = [*ALWAYS, *row.refusals]
    if row.access.credential is not Credential.IGNORED:
        codes += TOKEN_CODES
    if row.names_room:
        codes += ROOM_CODES if row.access.credential is not Credential.IGNORED else ROOM_CODES[:1]
    if row.body is not None:
        codes += BODY_CODES
    if row.key is Key.REQUIRED:
        codes.append("key_required")
    return tuple(dict.fromkeys(codes))


def who(access: Access) -> str:
    """Say in words who may use a route."""
    if access.credential is Credential.IGNORED:
        return "anyone"
    if access.credential is Credential.OPTIONAL:
        return "any token of the room, or none where the room allows it"
    if access.roles == frozenset(Role):
        return "any token"
    return ", ".join(role for role in Role if role in access.roles)


def _parameters(row: Row) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": text}
        for part in row.path.split("/")
        if part.startswith("{")
    ]
    found += [{"name": name, "in": "query", "schema": text} for name in row.query]
    if row.key is not Key.UNUSED:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": row.key is Key.REQUIRED,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    return found


def _responses(row: Row, answer: dict[str, Any] | None) -> dict[str, Any]:
    good: dict[str, Any] = {"description": row.summary}
    if answer is not None:
        good["content"] = {"application/json": {"schema": answer}}
    responses: dict[str, Any] = {str(row.status): good}
    by_status: dict[int, list[str]] = {}
    for code in codes_of(row):
        by_status.setdefault(REFUSALS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": " ".join(f"`{code}`: {REFUSALS[code].why}" for code in codes),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses


def _operation(row: Row, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": row.summary,
        "description": f"For {who(row.access)}.",
        "operationId": row.handle.__name__,
        "parameters": _parameters(row),
        "responses": _responses(row, None if row.answer is None else schemas[row.answer]),
    }
    if row.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[row.body]}},
        }
    if row.access.credential is Credential.IGNORED:
        operation["security"] = []
    elif row.access.credential is Credential.OPTIONAL:
        operation["security"] = [{}, {"token": []}]
    return operation


def _media_operation(kind: str, method: str, *, session: bool) -> dict[str, Any]:
    names = ("room", "session") if session else ("room",)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    media_type = "application/trickle-ice-sdpfrag" if session else "application/sdp"
    status = {"post": "201", "patch": "204", "delete": "200"}[method]
    operation: dict[str, Any] = {
        "summary": MEDIA_SUMMARIES[kind],
        "operationId": f"{kind}_{method}",
        "parameters": parameters,
        "responses": {
            status: {"description": "As the standard says."},
            "default": {
                "description": "A problem document.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if method != "delete":
        operation["requestBody"] = {"content": {media_type: {"schema": {"type": "string"}}}}
    return operation


EVENT_STREAM: Final = "text/event-stream"

PLAIN_PATHS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "/v1/events": {
        "get": ("Follow a room as server-sent events (the gateway's JSON frames).", EVENT_STREAM)
    },
    "/v1/events/{stream}": {"post": ("Send one frame of such a visit.", "application/json")},
    "/v1/rooms/{room}/replays/{file}": {
        "get": ("Play a recording (Range); the address is signed.", "video/mp4")
    },
}
"""Routes that are no rows: what they answer is a stream or a file."""


def _plain_operation(path: str, summary: str, media_type: str) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        "responses": {
            "200": {"description": "It goes on.", "content": {media_type: {}}},
            "default": {
                "description": "A problem document.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }


def openapi(rows: Sequence[Row]) -> dict[str, Any]:
    """Describe the API as an OpenAPI 3.1 document."""
    types = [*{row.body: 0 for row in rows if row.body}, Problem]
    answers = [row.answer for row in rows if row.answer is not None]
    types += [answer for answer in dict.fromkeys(answers) if answer not in types]
    found, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    schemas = dict(zip(types, found, strict=True))
    paths: dict[str, Any] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, schemas)
    for kind in MEDIA_SUMMARIES:
        base = f"/v1/rooms/{{room}}/{kind}"
        paths[base] = {"post": _media_operation(kind, "post", session=False)}
        paths[base + "/{session}"] = {
            method: _media_operation(kind, method, session=True) for method in ("patch", "delete")
        }
    for path, operations in PLAIN_PATHS.items():
        paths[path] = {method: _plain_operation(path, *said) for method, said in operations.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "liveroom", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "adminKey": {"type": "apiKey", "in": "header", "name": "Liveroom-Admin-Key"},
            },
        },
        "security": [{"token": []}, {"adminKey": []}],
    }


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #ddd}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;"
    "background:#f5f5f5;padding:.6rem}@media(prefers-color-scheme:dark){"
    "body{color:#eee;background:#161616}td,th{border-color:#333}pre{background:#222}}"
)


def docs_page(rows: Sequence[Row]) -> str:
    """Describe the API to people: routes, types and the table of codes; no script."""
    document = openapi(rows)
    escape = html.escape
    lines = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>liveroom API</title>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<style>{_STYLE}</style><h1>liveroom API</h1>",
        "<p>The same as data: <a href=/openapi.json>openapi.json</a> (OpenAPI 3.1).",
        "<h2>Routes</h2><table><tr><th>Route<th>Who<th>Takes<th>Meaning",
    ]
    for row in rows:
        takes = "" if row.body is None else row.body.__name__
        lines.append(
            f"<tr><td><code>{row.method} {escape(row.path)}</code><td>{escape(who(row.access))}"
            f"<td><a href=#{takes}>{takes}</a><td>{escape(row.summary)}"
        )
    for kind, summary in MEDIA_SUMMARIES.items():
        lines.append(
            f"<tr><td><code>POST /v1/rooms/{{room}}/{kind}</code><td>"
            f"<td>application/sdp<td>{escape(summary)}"
        )
    lines.append("</table><h2>Codes</h2><table><tr><th>Code<th>Status<th>What to do")
    lines += [
        f"<tr id={code}><td><code>{code}</code><td>{refusal.status}<td>{escape(refusal.why)}"
        for code, refusal in REFUSALS.items()
    ]
    lines.append("</table><h2>Types</h2>")
    for name, schema in document["components"]["schemas"].items():
        shown = msgspec.json.format(msgspec.json.encode(schema)).decode()
        lines.append(f"<h3 id={escape(name)}>{escape(name)}</h3><pre>{escape(shown)}</pre>")
    return "\n".join(lines) + "</html>"
