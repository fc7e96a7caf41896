"""SDP text -> `Offer`, within fixed bounds; anything else is one typed refusal.

Knows the grammar (RFC 8866) and the attributes a forwarder needs, no policy: what is accepted
is decided in `answer`. Pure, no clock, no randomness. Written for hostile input: every loop
is bounded by a constant below, and unknown lines are skipped.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise

from sfu.control.codecs import STATIC_FORMATS
from sfu.control.refusals import Refused

OFFER_BYTES_MAX = 64 * 1024
"""Outcome when passed: `too_large`. All other bounds here end in `bad_sdp`."""
MEDIA_LINES_MAX = 18
SECTION_LINES_MAX = 300
"""Chromium 156 offers video in 174 lines, and every codec it learns adds nine."""
LINE_LENGTH_MAX = 2048
FORMATS_MAX = 64
EXTENSIONS_MAX = 64
CANDIDATES_MAX = 32
SSRCS_MAX = 32
FINGERPRINTS_MAX = 8
GROUPS_MAX = 16
RIDS_MAX = 16
FRAGMENT_BYTES_MAX = 16 * 1024

DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
SETUPS = frozenset({"actpass", "active", "passive", "holdconn"})
ICE_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
ICE_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
RID = re.compile(r"[A-Za-z0-9_-]{1,16}")
"""RFC 8851 section 10; longer ones would not fit a one-byte header extension."""
TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]{1,64}")
MEDIA_LINE = re.compile(
    r"m=(audio|video|application|text|message) (\d{1,5})(?:/\d{1,5})? (\S+) (.+)"
)
EXTENSION_ID_MAX = 14
"""One-byte header extensions have ids 1…14 (RFC 8285 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The hash of a certificate as a=fingerprint names it."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Format:
    """One payload type of an m-line."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    fmtp: str
    feedback: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One m-line with its attributes; transport attributes fall back to the session's."""

    kind: str
    port: int
    protocol: str
    raw_formats: str
    mid: str
    direction: str
    formats: tuple[Format, ...]
    extensions: Mapping[str, int]
    ssrcs: tuple[int, ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...]
    layers: tuple[str, ...]
    """The rids of the simulcast streams it would send, in the offer's order."""
    rtcp_mux: bool
    bundle_only: bool
    ufrag: str
    pwd: str
    setup: str
    fingerprints: tuple[Fingerprint, ...]

    @property
    def is_rejected(self) -> bool:
        """Whether the offerer itself switched the m-line off (RFC 3264 section 5.1)."""
        return self.port == 0 and not self.bundle_only


@dataclass(frozen=True, slots=True)
class Offer:
    """A parsed session description."""

    sections: tuple[Section, ...]
    bundle: tuple[str, ...]
    is_lite: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """A parsed trickle-ice-sdpfrag (RFC 8840): credentials, and how many candidates came."""

    ufrag: str
    pwd: str
    candidates: int


@dataclass(slots=True)
class _Draft:
    """The attributes of one section while its lines are read."""

    attributes: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    rtpmaps: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    fmtps: dict[int, str] = field(default_factory=dict)
    feedback: dict[str, set[str]] = field(default_factory=dict)
    extensions: dict[str, int] = field(default_factory=dict)
    ssrcs: dict[int, None] = field(default_factory=dict)
    groups: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    rids: dict[str, None] = field(default_factory=dict)
    fingerprints: list[Fingerprint] = field(default_factory=list)
    candidates: int = 0


def parse_offer(body: bytes) -> Offer:
    """Read a session description.

    Raises:
        Refused: `too_large` or `bad_sdp`.

    """
    if len(body) > OFFER_BYTES_MAX:
        raise Refused("too_large")
    head, *media = _split(_text(body))
    if not head or head[0] != "v=0":
        raise Refused("bad_sdp", "The description does not begin with v=0.")
    if len(media) > MEDIA_LINES_MAX:
        raise Refused("bad_sdp", f"More than {MEDIA_LINES_MAX} m-lines.")
    session = _read(head)
    sections = tuple(_section(lines, session, index) for index, lines in enumerate(media))
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise Refused("bad_sdp", "Two m-lines have the same mid.")
    bundle = session.attributes.get("group:BUNDLE", "").split()
    bundled = tuple(mid for mid in bundle if mid in mids)
    return Offer(sections, bundled, is_lite="ice-lite" in session.flags)


def parse_fragment(body: bytes) -> Fragment:
    """Read a trickle-ice-sdpfrag; candidates are counted only, a lite agent never uses them.

    Raises:
        Refused: `too_large` or `bad_fragment`.

    """
    if len(body) > FRAGMENT_BYTES_MAX:
        raise Refused("too_large")
    try:
        sections = [_read(lines) for lines in _split(_text(body))]
    except Refused as refused:
        raise Refused("bad_fragment", refused.why) from None
    merged: dict[str, str] = {}
    for section in sections:
        merged = {**section.attributes, **merged}
    candidates = sum(section.candidates for section in sections)
    ended = any("end-of-candidates" in section.flags for section in sections)
    ufrag, pwd = merged.get("ice-ufrag", ""), merged.get("ice-pwd", "")
    if (ufrag and not ICE_UFRAG.fullmatch(ufrag)) or (pwd and not ICE_PWD.fullmatch(pwd)):
        raise Refused("bad_fragment", "ice-ufrag or ice-pwd is malformed.")
    if not (candidates or ended or ufrag):
        raise Refused("bad_fragment", "Neither a candidate nor ICE credentials.")
    return Fragment(ufrag, pwd, candidates)


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bad_sdp", "The body is not UTF-8.") from None
    if "\0" in text:
        raise Refused("bad_sdp", "The body contains a NUL.")
    return text


def _split(text: str) -> list[list[str]]:
    """Cut into the session part and one list of lines per m-line."""
    groups: list[list[str]] = [[]]
    for raw in text.split("\n"):
        line = raw.rstrip("\r")
        if not line:
            continue
        if len(line) > LINE_LENGTH_MAX or line[1:2] != "=" or "\r" in line:
            raise Refused("bad_sdp", "A line is too long or not of the form x=value.")
        if line.startswith("m="):
            if len(groups) > MEDIA_LINES_MAX:
                raise Refused("bad_sdp", f"More than {MEDIA_LINES_MAX} m-lines.")
            groups.append([])
        groups[-1].append(line)
        if len(groups[-1]) > SECTION_LINES_MAX:
            raise Refused("bad_sdp", f"More than {SECTION_LINES_MAX} lines in one section.")
    return groups


def _read(lines: list[str]) -> _Draft:
    draft = _Draft()
    for line in lines:
        if not line.startswith("a="):
            continue
        name, colon, value = line[2:].partition(":")
        if not colon:
            draft.flags.add(name)
            continue
        try:
            _attribute(draft, name, value.strip())
        except (ValueError, IndexError):
            raise Refused("bad_sdp", f"The attribute {name[:32]!r} is malformed.") from None
    return draft


def _attribute(draft: _Draft, name: str, value: str) -> None:
    match name:
        case "rtpmap":
            number, description = value.split(None, 1)
            parts = description.strip().split("/")
            channels = int(parts[2]) if len(parts) > 2 else 1
            if not TOKEN.fullmatch(parts[0]) or channels not in range(1, 256):
                raise ValueError(value)
            draft.rtpmaps[_payload_type(number)] = (parts[0].lower(), _rate(parts[1]), channels)
            _bound(draft.rtpmaps, FORMATS_MAX)
        case "fmtp":
            number, _, parameters = value.partition(" ")
            draft.fmtps[_payload_type(number)] = parameters.strip()
        case "rtcp-fb":
            number, parameters = value.split(None, 1)
            draft.feedback.setdefault(number, set()).add(" ".join(parameters.split()))
        case "extmap":
            number, uri = value.split()[:2]
            identifier = int(number.partition("/")[0])
            if not 1 <= identifier <= 4351:
                raise ValueError(value)
            if identifier <= EXTENSION_ID_MAX:
                draft.extensions.setdefault(uri, identifier)
            _bound(draft.extensions, EXTENSIONS_MAX)
        case "ssrc":
            draft.ssrcs[_ssrc(value.split()[0])] = None
            _bound(draft.ssrcs, SSRCS_MAX)
        case "ssrc-group":
            semantics, *numbers = value.split()
            draft.groups.append((semantics, tuple(_ssrc(number) for number in numbers)))
            _bound(draft.groups, GROUPS_MAX)
        case "rid":
            identity, direction = value.split()[:2]
            if direction == "send" and RID.fullmatch(identity):
                draft.rids[identity] = None
            _bound(draft.rids, RIDS_MAX)
        case "group":
            semantics, *mids = value.split()
            draft.attributes.setdefault(f"group:{semantics}", " ".join(mids))
        case "fingerprint":
            algorithm, digest = value.split()
            draft.fingerprints.append(
                Fingerprint(algorithm.lower(), bytes.fromhex(digest.replace(":", "")))
            )
            _bound(draft.fingerprints, FINGERPRINTS_MAX)
        case "candidate":
            draft.candidates += 1
            if draft.candidates > CANDIDATES_MAX:
                raise ValueError(value)
        case "mid" if not TOKEN.fullmatch(value):
            raise ValueError(value)
        case "setup" if value not in SETUPS:
            raise ValueError(value)
        case _:
            draft.attributes.setdefault(name, value)


def _section(lines: list[str], session: _Draft, index: int) -> Section:
    found = MEDIA_LINE.fullmatch(lines[0])
    if found is None:
        raise Refused("bad_sdp", "An m-line is malformed.")
    kind, port, protocol, raw_formats = found.groups()
    draft = _read(lines[1:])
    get = draft.attributes.get
    inherited = session.attributes.get
    direction = (draft.flags | session.flags) & DIRECTIONS
    own_direction = draft.flags & DIRECTIONS
    if len(own_direction) > 1 or int(port) > 65535:
        raise Refused("bad_sdp", "An m-line has two directions or no valid port.")
    return Section(
        kind=kind,
        port=int(port),
        protocol=protocol,
        raw_formats=raw_formats,
        # Without a mid an m-line can only stand alone; its index names it then.
        mid=get("mid", str(index)),
        direction=min(own_direction or direction or {"sendrecv"}),
        formats=_formats(draft, raw_formats) if kind in ("audio", "video") else (),
        extensions={**session.extensions, **draft.extensions},
        ssrcs=tuple(draft.ssrcs),
        groups=tuple(draft.groups),
        layers=_layers(get("simulcast", ""), draft.rids),
        rtcp_mux=bool({"rtcp-mux", "rtcp-mux-only"} & draft.flags),
        bundle_only="bundle-only" in draft.flags,
        ufrag=get("ice-ufrag", inherited("ice-ufrag", "")),
        pwd=get("ice-pwd", inherited("ice-pwd", "")),
        setup=get("setup", inherited("setup", "")),
        fingerprints=tuple(draft.fingerprints or session.fingerprints),
    )


def _layers(simulcast: str, rids: Mapping[str, None]) -> tuple[str, ...]:
    """Name the streams of a=simulcast that are sent (RFC 8853 section 5.1).

    Of alternatives the first; a leading ~ says that a stream is paused for now.
    """
    words = simulcast.split()
    sent = next((after for word, after in pairwise(words) if word == "send"), "")
    firsts = [stream.split(",")[0].removeprefix("~") for stream in sent.split(";")]
    return tuple(dict.fromkeys(rid for rid in firsts if rid in rids))


def _formats(draft: _Draft, raw_formats: str) -> tuple[Format, ...]:
    numbers = raw_formats.split()
    if len(numbers) > FORMATS_MAX:
        raise Refused("bad_sdp", f"More than {FORMATS_MAX} payload types in one m-line.")
    formats = []
    for_all: Set[str] = draft.feedback.get("*", frozenset())
    for number in dict.fromkeys(numbers):
        try:
            payload_type = _payload_type(number)
        except ValueError:
            raise Refused("bad_sdp", "A payload type is not a number below 128.") from None
        name, rate, channels = draft.rtpmaps.get(
            payload_type, (*STATIC_FORMATS.get(payload_type, ("", 0)), 1)
        )
        if not name:
            continue
        wanted = frozenset(draft.feedback.get(number, for_all)).union(for_all)
        fmtp = draft.fmtps.get(payload_type, "")
        formats.append(Format(payload_type, name, rate, channels, fmtp, wanted))
    return tuple(formats)


def _payload_type(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 127:
        raise ValueError(text)
    return number


def _rate(text: str) -> int:
    rate = int(text)
    if not 1 <= rate <= 768_000:
        raise ValueError(text)
    return rate


def _ssrc(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise ValueError(text)
    return number


def _bound(
    collection: dict[int, tuple[str, int, int]]
    | dict[str, int]
    | dict[int, None]
    | dict[str, None]
    | list[tuple[str, tuple[int, ...]]]
    | list[Fingerprint],
    limit: int,
) -> None:
    if len(collection) > limit:
        raise ValueError(limit)
