"""What control refuses, as one table: a stable code, an HTTP status, a sentence that helps.

A refusal answers one request and changes nothing. Codes are never renamed or reused; where
the shop's own table has the same case (`host_live`, `no_seat`), code and status are equal.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: HTTP status and the default sentence."""

    status: int
    why: str


REFUSALS: dict[str, Refusal] = {
    "bad_sdp": Refusal(400, "The session description could not be read."),
    "bad_fragment": Refusal(400, "The SDP fragment could not be read."),
    "too_large": Refusal(413, "The body is too large; a session description fits 64 KiB."),
    "unsupported_media_type": Refusal(415, "Send the content type that Accept-Post names."),
    "bad_direction": Refusal(422, "Publish with sendonly (or sendrecv), play with recvonly."),
    "no_media": Refusal(422, "Offer at least one audio or video m-line."),
    "too_many_tracks": Refusal(422, "Publish at most one audio and one video track."),
    "no_codec": Refusal(422, "No codec of the offer can be forwarded here."),
    "no_rtcp_mux": Refusal(422, "Offer a=rtcp-mux; RTP and RTCP share one port here."),
    "no_bundle": Refusal(422, "Offer all m-lines in one BUNDLE group."),
    "no_fingerprint": Refusal(422, "Offer a=fingerprint with sha-256 or stronger."),
    "no_ice": Refusal(422, "Offer a=ice-ufrag and a=ice-pwd."),
    "bad_setup": Refusal(422, "Offer a=setup:actpass, active or passive."),
    "forbidden": Refusal(403, "This role may not publish here."),
    "no_seat": Refusal(403, "A guest needs a seat on the stage first; ask the host for the mic."),
    "no_such_session": Refusal(404, "There is no such media session; it may have ended."),
    "method_not_allowed": Refusal(405, "This address does not know that method."),
    "host_live": Refusal(409, "Another host is live in this room; wait until they have ended."),
    "precondition_failed": Refusal(412, "If-Match names another ICE session; GET a new ETag."),
    "precondition_required": Refusal(428, "Send If-Match with the ETag of the session, or *."),
    "rate": Refusal(429, "Too many sessions from this user or address; end some first."),
    "full": Refusal(503, "This media server is full; try again in a few seconds."),
}


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """A request that changes nothing.

    Args:
        code: a key of `REFUSALS`.
        why: a sentence that replaces the table's, when more can be said.

    """

    def __init__(self, code: str, why: str | None = None) -> None:
        row = REFUSALS[code]
        self.code = code
        self.status = row.status
        self.why = why or row.why
        super().__init__(f"{code}: {self.why}")
