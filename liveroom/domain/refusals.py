"""The rules say no: a stable code, a sentence that says what to do, and the connection lives.

One table holds every code with its HTTP status, so REST and websocket answer alike.
Codes are never renamed or reused. `WireError` (protocol) and bugs are other kinds of failure.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of the table: HTTP status and the default sentence."""

    status: int
    why: str


REFUSALS: dict[str, Refusal] = {
    # who are you
    "no_token": Refusal(401, "Send a token: Authorization: Bearer TOKEN."),
    "bad_token": Refusal(401, "The token is not valid here; ask the shop's backend for a new one."),
    "expired": Refusal(401, "The token has expired; ask the shop's backend for a new one."),
    "bad_ticket": Refusal(401, "The ticket is unknown, used or expired; ask for a new link."),
    # may you
    "other_room": Refusal(403, "The token was made for another room; ask for one for this room."),
    "forbidden": Refusal(403, "This role may not do that; use a token with a higher role."),
    "anonymous": Refusal(403, "Anonymous viewers can only watch; sign in to take part."),
    "no_seat": Refusal(403, "A guest needs a seat on the stage first; ask the host for the mic."),
    "tip_too_large": Refusal(403, "That is more than one tip may be; send less."),
    "age_unconfirmed": Refusal(403, "Paying needs a confirmed adult; confirm your age first."),
    "muted": Refusal(403, "You may not speak here for now; retry_ms says for how long."),
    "kicked": Refusal(403, "You were removed from this room; come back when retry_ms has passed."),
    "banned": Refusal(403, "You may not enter this room any more; ask the shop."),
    # is it there
    "no_such_room": Refusal(404, "There is no such room; check its id or create it first."),
    "no_such_coupon": Refusal(404, "There is no such coupon."),
    "no_such_product": Refusal(404, "There is no such product; create it first."),
    "no_such_pack": Refusal(404, "There is no such pack of coins; list what can be bought."),
    "no_such_import": Refusal(404, "There is no such import; begin it first."),
    "no_such_case": Refusal(404, "There is no such case."),
    "no_such_gift": Refusal(404, "There is no such gift; see the room's gift catalogue."),
    "no_such_order": Refusal(404, "There is no such order."),
    "no_such_slot": Refusal(404, "There is no such slot; see how many seats the room has."),
    "no_such_parcel": Refusal(404, "There is no such parcel."),
    "no_such_user": Refusal(404, "There is no such member."),
    "no_such_line": Refusal(404, "There is no such line here any more."),
    "no_such_stream": Refusal(404, "That stream of events has ended; open another one."),
    "no_such_webhook": Refusal(404, "There is no such webhook; list those of the shop."),
    "no_such_session": Refusal(404, "There is no such media session; it may have ended."),
    "not_found": Refusal(404, "There is nothing at this address."),
    "method_not_allowed": Refusal(405, "This address does not know that method."),
    # not now
    "exists": Refusal(409, "It exists already with other content; use another id."),
    "ended": Refusal(409, "The broadcast has ended; wait for the next one."),
    "host_live": Refusal(409, "Another host is live in this room; wait until they have ended."),
    "not_live": Refusal(409, "Nobody is live in this room now; wait until somebody is."),
    "on_stage": Refusal(409, "You are on stage already."),
    "slot_taken": Refusal(409, "Somebody stands on that slot; take another or free it first."),
    "queue_full": Refusal(409, "Too many people wait for the mic; try again later."),
    "not_asked": Refusal(409, "They do not wait for the mic any more."),
    "in_call": Refusal(409, "A private call is going on; end it first."),
    "in_pk": Refusal(409, "A PK is going on or asked for; end it first."),
    "no_pk": Refusal(409, "There is no such PK to agree to any more."),
    "no_call": Refusal(409, "There is no such call any more."),
    "not_enough_coins": Refusal(409, "Not enough coins; top up and try again."),
    "not_enough_points": Refusal(409, "Not enough points."),
    "claimed": Refusal(409, "You have taken as many of these as one person may."),
    "not_claimable": Refusal(409, "This coupon cannot be taken; look for another one."),
    "used_up": Refusal(409, "Used up: there is no more of it."),
    "hold_ended": Refusal(409, "The reservation has ended already; start again."),
    "import_elsewhere": Refusal(409, "The import goes on with another row."),
    "case_decided": Refusal(409, "The case was decided otherwise already."),
    "goal_open": Refusal(409, "The room has a goal already; end that one first."),
    "nothing_to_refund": Refusal(409, "Nothing is left to refund."),
    "parcel_elsewhere": Refusal(409, "The parcel cannot get there from where it is."),
    "limit_reached": Refusal(
        409, "You have had as many of it as one person may; leave some to others."
    ),
    "out_of_stock": Refusal(409, "Sold out; choose another product."),
    "twin_in_flight": Refusal(409, "The same command is still being carried out; ask again."),
    # wrong input
    "bad_request": Refusal(400, "The request could not be read; compare it with /docs."),
    "too_large": Refusal(413, "The request is too large."),
    "unsupported_media_type": Refusal(415, "Send the content type that /docs names."),
    "invalid": Refusal(422, "A value is out of its bounds; the detail names it."),
    "unknown_command": Refusal(422, "There is no such command; see the list in /docs."),
    "key_required": Refusal(422, "Send an Idempotency-Key header (1 to 255 characters)."),
    "idempotency_mismatch": Refusal(
        422, "This key was used for another command; use a new key for a new command."
    ),
    "text_empty": Refusal(422, "Nothing is left of the text after cleaning; write something."),
    "text_too_long": Refusal(422, "The text is too long; shorten it to 100 characters."),
    "words": Refusal(422, "The line contains something that is not said in this room."),
    "links": Refusal(422, "Links are not allowed in this room; say it without one."),
    "contacts": Refusal(422, "Contact details are not allowed in this room; leave them out."),
    # slow down, broken
    "slow_mode": Refusal(429, "Slow mode is on; speak again after retry_ms."),
    "cooling_down": Refusal(429, "You have tipped a lot today; pause as long as retry_ms says."),
    "rate": Refusal(429, "Too fast; wait as long as retry_ms says."),
    "full": Refusal(503, "The server is full; try again as long as retry_ms says."),
    "unavailable": Refusal(503, "That part is not reachable right now; try again."),
    "internal": Refusal(500, "Something broke on our side; try again."),
}


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """A command that changes nothing.

    Args:
        code: a key of `REFUSALS`.
        why: a sentence that replaces the table's, when more can be said.
        retry_ms: when to try again, if that can help.

    """

    def __init__(self, code: str, why: str | None = None, *, retry_ms: int | None = None) -> None:
        row = REFUSALS[code]
        self.code = code
        self.status = row.status
        self.why = why or row.why
        self.retry_ms = retry_ms
        super().__init__(f"{code}: {self.why}")
