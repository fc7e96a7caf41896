"""WHIP (RFC 9725) and WHEP, row by row: status, headers, codes."""

import json
import re

import pytest

from sfu.app import Reply
from sfu.config import IceServer, MediaConfig
from sfu.control.desk import Desk
from sfu.control.model import Direction
from sfu.edge.http import Request, Signalling
from tests.sfu.conftest import Server
from tests.sfu.raw_peer import offer_text

FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}
TRICKLE = (
    "a=ice-ufrag:peer\r\na=ice-pwd:pppppppppppppppppppppp\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=mid:0\r\na=candidate:1 1 udp 2130706431 abcd.local 50000 typ host\r\n"
    "a=candidate:2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
    "a=end-of-candidates\r\n"
)
RESTART = "a=ice-ufrag:fresh\r\na=ice-pwd:ffffffffffffffffffffff\r\n"
DOORS = pytest.mark.parametrize("door", ["whip", "whep"])


def code(reply: Reply) -> str:
    """Read the code of a problem document, checking its form (RFC 9457)."""
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Content-Length"] == str(len(reply.body))
    document = json.loads(reply.body)
    assert set(document) == {"type", "title", "status", "code", "detail"}
    assert document["status"] == reply.status
    found: str = document["code"]
    return found


def offer_for(door: str) -> str:
    """Write an offer of the direction a door wants."""
    return offer_text(direction="sendonly" if door == "whip" else "recvonly")


async def opened(server: Server, door: str) -> tuple[str, str]:
    """Open a session; return its id and ETag."""
    reply = await server.ask(door, body=offer_for(door))
    return reply.headers["Location"].rpartition("/")[2], reply.headers["ETag"]


@DOORS
async def test_post_creates(server: Server, door: str) -> None:
    reply = await server.ask(door, body=offer_for(door))
    assert reply.status == 201
    assert reply.headers["Content-Type"] == "application/sdp"
    assert reply.headers["Content-Length"] == str(len(reply.body))
    assert re.fullmatch(rf"/v1/rooms/r1/{door}/[0-9a-f]{{32}}", reply.headers["Location"])
    assert re.fullmatch(r'"[^"]+"', reply.headers["ETag"])
    assert reply.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
    assert "a=end-of-candidates" in reply.body.decode()


async def test_post_names_the_ice_servers(server: Server) -> None:
    signalling = Signalling(
        server.media._desk,
        (IceServer("stun:s.example:3478"), IceServer("turn:t.example?transport=udp", "u", "c")),
        lambda _origin: True,
        lambda: 0.0,
    )
    link = signalling.answer(request("whep", offer_for("whep"))).headers["Link"]
    assert link == (
        '<stun:s.example:3478>; rel="ice-server", <turn:t.example?transport=udp>; '
        'rel="ice-server"; username="u"; credential="c"; credential-type="password"'
    )


def request(
    door: str, body: str, method: str = "POST", headers: dict[str, str] | None = None
) -> Request:
    """Build a request value."""
    return Request(
        direction=Direction.PUBLISH if door == "whip" else Direction.PLAY,
        method=method,
        room="r1",
        user="u",
        role="host",
        session=None,
        headers={"content-type": "application/sdp"} | (headers or {}),
        body=body.encode(),
        base_path=f"/v1/rooms/r1/{door}/",
        address="127.0.0.1",
    )


@DOORS
@pytest.mark.parametrize(
    ("content_type", "body", "status", "expected"),
    [
        ("application/json", "v=0", 415, "unsupported_media_type"),
        ("", "v=0", 415, "unsupported_media_type"),
        ("application/sdp", "", 400, "bad_sdp"),
        ("application/sdp", "hello", 400, "bad_sdp"),
        ("application/sdp", "v=0\r\nm=video\r\n", 400, "bad_sdp"),
        ("application/sdp", "v=0\r\n" + "a=x\r\n" * 14_000, 413, "too_large"),
        ("application/sdp", "v=0\r\n" + "a=x\r\n" * 10_000, 400, "bad_sdp"),
        ("application/sdp", "v=0\r\ns=-\r\n", 422, "no_media"),
    ],
)
async def test_post_refuses_what_it_cannot_read(
    server: Server, door: str, content_type: str, body: str, status: int, expected: str
) -> None:
    reply = await server.ask(door, body=body, headers={"content-type": content_type})
    assert (reply.status, code(reply)) == (status, expected)
    assert server.media.sessions() == 0


@pytest.mark.parametrize("content_type", ["application/sdp; charset=utf-8", "Application/SDP"])
async def test_post_takes_parameters_and_any_case(server: Server, content_type: str) -> None:
    reply = await server.ask("whip", body=offer_for("whip"), headers={"content-type": content_type})
    assert reply.status == 201


async def test_only_hosts_and_guests_publish(server: Server) -> None:
    reply = await server.ask("whip", body=offer_for("whip"), role="viewer")
    assert (reply.status, code(reply)) == (403, "forbidden")
    for role in ("viewer", "moderator", "merchant", "admin", "guest", "host"):
        assert (await server.ask("whep", body=offer_for("whep"), role=role)).status == 201


@DOORS
async def test_get_and_head_say_nothing(server: Server, door: str) -> None:
    session, _ = await opened(server, door)
    for method in ("GET", "HEAD"):
        for at in (None, session):
            reply = await server.ask(door, method, session=at)
            assert (reply.status, reply.body) == (204, b"")


@DOORS
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_at_the_endpoint(server: Server, door: str, method: str) -> None:
    reply = await server.ask(door, method)
    assert (reply.status, code(reply)) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


@DOORS
@pytest.mark.parametrize("method", ["PUT", "POST", "TRACE"])
async def test_other_methods_at_a_session(server: Server, door: str, method: str) -> None:
    session, _ = await opened(server, door)
    reply = await server.ask(door, method, session=session)
    assert (reply.status, code(reply)) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


@DOORS
async def test_preflight_needs_nobody(server: Server, door: str) -> None:
    reply = await server.ask(door, "OPTIONS", user="", role="", headers={"origin": "https://a"})
    assert reply.status == 204
    assert reply.headers["Accept-Post"] == "application/sdp"
    assert reply.headers["Access-Control-Allow-Origin"] == "https://a"
    allowed = reply.headers["Access-Control-Allow-Methods"]
    assert {"POST", "PATCH", "DELETE", "OPTIONS", "GET"} <= set(allowed.split(", "))
    headers = reply.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type", "If-Match"} <= set(headers)


@DOORS
async def test_browsers_may_read_every_header_they_need(server: Server, door: str) -> None:
    for reply in (
        await server.ask(door, body=offer_for(door)),
        await server.ask(door, body="nonsense"),
    ):
        exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
        assert exposed == ["Location", "ETag", "Link", "Accept-Post", "Accept-Patch"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://shop.example", "https://shop.example"), ("https://evil.example", None), ("", None)],
)
async def test_origins_can_be_listed(server: Server, origin: str, allowed: str | None) -> None:
    desk: Desk = server.media._desk
    signalling = Signalling(desk, (), "https://shop.example".__eq__, lambda: 0.0)
    headers = {"origin": origin} if origin else {}
    reply = signalling.answer(request("whep", "", "OPTIONS", headers))
    assert reply.headers.get("Access-Control-Allow-Origin") == allowed
    assert reply.headers["Vary"] == "Origin"


@DOORS
async def test_trickle_is_taken_and_ignored(server: Server, door: str) -> None:
    session, tag = await opened(server, door)
    for condition in (tag, "*", f'"other", {tag}'):
        reply = await server.ask(
            door, "PATCH", session=session, body=TRICKLE, headers=FRAGMENT | {"if-match": condition}
        )
        assert (reply.status, reply.body) == (204, b"")
        assert "ETag" not in reply.headers


@DOORS
@pytest.mark.parametrize(
    ("headers", "body", "status", "expected"),
    [
        (FRAGMENT, TRICKLE, 428, "precondition_required"),
        (FRAGMENT | {"if-match": '"other"'}, TRICKLE, 412, "precondition_failed"),
        (FRAGMENT | {"if-match": "TAG"}, "", 400, "bad_fragment"),
        (FRAGMENT | {"if-match": "TAG"}, "nonsense", 400, "bad_fragment"),
        (FRAGMENT | {"if-match": "*"}, "a=ice-ufrag:fresh\r\n", 400, "bad_fragment"),
        (FRAGMENT | {"if-match": "TAG"}, "a=x\r\n" * 4000, 413, "too_large"),
        ({"content-type": "application/sdp"}, TRICKLE, 415, "unsupported_media_type"),
        ({}, TRICKLE, 415, "unsupported_media_type"),
    ],
)
async def test_patch_refuses(
    server: Server, door: str, headers: dict[str, str], body: str, status: int, expected: str
) -> None:
    session, tag = await opened(server, door)
    filled = {name: tag if value == "TAG" else value for name, value in headers.items()}
    reply = await server.ask(door, "PATCH", session=session, body=body, headers=filled)
    assert (reply.status, code(reply)) == (status, expected)


async def test_a_weak_tag_never_matches(server: Server) -> None:
    session, tag = await opened(server, "whip")
    reply = await server.ask(
        "whip", "PATCH", session=session, body=TRICKLE, headers=FRAGMENT | {"if-match": f"W/{tag}"}
    )
    assert reply.status == 412


@DOORS
async def test_ice_restart_gives_new_credentials_and_a_new_tag(server: Server, door: str) -> None:
    session, tag = await opened(server, door)
    reply = await server.ask(
        door, "PATCH", session=session, body=RESTART, headers=FRAGMENT | {"if-match": "*"}
    )
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/trickle-ice-sdpfrag"
    assert reply.headers["ETag"] not in ("", tag)
    text = reply.body.decode()
    assert "a=ice-lite\r\n" in text
    assert "a=ice-ufrag:" in text
    assert "a=ice-pwd:" in text
    assert "a=candidate:" in text
    stale = await server.ask(
        door, "PATCH", session=session, body=TRICKLE, headers=FRAGMENT | {"if-match": tag}
    )
    assert stale.status == 412


@DOORS
async def test_delete_ends_a_session_whatever_if_match_says(server: Server, door: str) -> None:
    session, _ = await opened(server, door)
    reply = await server.ask(door, "DELETE", session=session, headers={"if-match": '"wrong"'})
    assert reply.status == 200
    assert server.media.sessions() == 0
    again = await server.ask(door, "DELETE", session=session)
    assert (again.status, code(again)) == (404, "no_such_session")


@DOORS
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE"])
async def test_a_session_exists_only_for_its_user(server: Server, door: str, method: str) -> None:
    session, tag = await opened(server, door)
    other_door = "whep" if door == "whip" else "whip"
    headers = FRAGMENT | {"if-match": tag}
    for stranger in (
        await server.ask(door, method, session=session, user="other", headers=headers),
        await server.ask(door, method, session=session, room="r2", headers=headers),
        await server.ask(other_door, method, session=session, headers=headers),
        await server.ask(door, method, session="0" * 32, headers=headers),
    ):
        assert (stranger.status, code(stranger)) == (404, "no_such_session")
    assert server.media.sessions() == 1


async def test_a_second_host_is_refused_while_one_is_live(server: Server) -> None:
    await server.ask("whip", body=offer_for("whip"), user="first")
    reply = await server.ask("whip", body=offer_for("whip"), user="second")
    assert (reply.status, code(reply)) == (409, "host_live")
    other_room = await server.ask("whip", body=offer_for("whip"), user="second", room="r2")
    assert other_room.status == 201


async def test_a_malformed_offer_does_not_cut_the_live_session(server: Server) -> None:
    await server.ask("whip", body=offer_for("whip"))
    assert (await server.ask("whip", body="nonsense")).status == 400
    assert server.media.sessions() == 1


async def test_half_open_sessions_of_an_address_are_bounded(server: Server) -> None:
    limit = MediaConfig().limits.half_open_per_address
    replies = [
        await server.ask("whep", body=offer_for("whep"), user=f"u{n}", role="viewer")
        for n in range(limit + 1)
    ]
    assert [reply.status for reply in replies] == [201] * limit + [429]
    assert code(replies[-1]) == "rate"
    assert int(replies[-1].headers["Retry-After"]) > 0
    elsewhere = await server.ask("whep", body=offer_for("whep"), user="x", address="192.0.2.9")
    assert elsewhere.status == 201
