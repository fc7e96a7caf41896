"""Offer -> answer text and what the engine needs of it: tracks (WHIP) or legs (WHEP).

Here is the policy: which m-lines, codecs, header extensions and feedback are accepted.
Pure: credentials, fingerprint, candidates and SSRCs are passed in.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sfu.control.codecs import FORWARDABLE, identity, parse_parameters, with_aliases
from sfu.control.policy import LAYERS_MAX, PUBLISHER, TRANSPORT_FEEDBACK, VIEWER, Policy
from sfu.control.refusals import Refused
from sfu.control.sdp import ICE_PWD, ICE_UFRAG, Fingerprint, Format, Offer, Section
from sfu.media.model import Codec, Kind, LegSpec, TrackSpec
from sfu.media.shape import REPAIRED_RID, RID, TRANSPORT_WIDE

SECURE_PROTOCOLS = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"})
FINGERPRINT_BYTES: Mapping[str, int] = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Accepted hashes; sha-1 and md5 prove nothing any more (RFC 8827 section 6.5)."""

CANDIDATE_TYPE_PREFERENCE = 126
"""Host candidates (RFC 8445 section 5.1.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Our end of a session as an answer tells it."""

    session_number: int
    """For the o= line: numeric, unique (RFC 8866 section 5.2)."""
    ufrag: str
    pwd: str
    fingerprint: Fingerprint
    addresses: Sequence[tuple[str, int]]
    cname: str


@dataclass(frozen=True, slots=True)
class Remote:
    """The other end's transport as its offer told it."""

    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]
    is_passive: bool = False
    """It waits for our ClientHello; ffmpeg's publisher does by default."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """An answer and its consequences; one of `tracks` and `legs` is empty."""

    sdp: str
    remote: Remote
    tracks: tuple[TrackSpec, ...] = ()
    legs: tuple[LegSpec, ...] = ()

    @property
    def mids(self) -> tuple[str, ...]:
        """Name the accepted m-lines in order."""
        return tuple([track.mid for track in self.tracks] + [leg.mid for leg in self.legs])


@dataclass(frozen=True, slots=True)
class _Accepted:
    """One m-line we take: the formats kept, and repairs as rtx payload type -> media's."""

    section: Section
    kind: Kind
    formats: tuple[Format, ...]
    repairs: Mapping[int, int]
    repair_formats: tuple[Format, ...]
    extensions: Mapping[str, int]
    wanted: tuple[str, ...]
    """The feedback that may be answered."""
    layers: tuple[str, ...] = ()
    """The simulcast streams we take, by rid."""

    def codec(self, offered: Format) -> Codec:
        """Name the identity of one of the formats."""
        return identity(self.kind, offered.name, offered.clock_rate, offered.channels, offered.fmtp)

    def feedback(self) -> frozenset[str]:
        """Name the feedback that at least one kept format may use."""
        return frozenset(text for offered in self.formats for text in self.feedback_of(offered))

    def feedback_of(self, offered: Format) -> list[str]:
        """Name the feedback that one format may use."""
        return [text for text in self.wanted if text in offered.feedback]


def answer_publisher(offer: Offer, local: Local) -> Negotiated:
    """Accept a WHIP offer whole or refuse it whole (RFC 9725 section 4.4).

    Raises:
        Refused: with the code of the first rule it breaks.

    """
    wanted = _media_sections(offer)
    for section in wanted:
        if section.direction not in ("sendonly", "sendrecv"):
            raise Refused("bad_direction")
    kinds = [section.kind for section in wanted]
    if len(set(kinds)) != len(kinds):
        raise Refused("too_many_tracks")
    accepted = {}
    for section in wanted:
        taken = _accept(section, PUBLISHER)
        if taken is None:
            raise Refused("no_codec", f"No {section.kind} codec of the offer can be forwarded.")
        accepted[section.mid] = taken
    remote = _remote(offer, [section.mid for section in wanted])
    setup = _setup_line(remote)
    sdp = _write(
        offer, accepted, local, lambda taken: [setup, "a=recvonly", *_layer_lines(taken.layers)]
    )
    return Negotiated(sdp, remote, tracks=tuple(_track(taken) for taken in accepted.values()))


def answer_viewer(offer: Offer, local: Local, new_ssrc: Callable[[], int]) -> Negotiated:
    """Accept every m-line of a WHEP offer for which one codec can be forwarded.

    The k-th video and the k-th audio m-line show stage slot k - 1.

    Raises:
        Refused: with the code of the first rule it breaks.

    """
    wanted = _media_sections(offer)
    for section in wanted:
        if section.direction not in ("recvonly", "sendrecv"):
            raise Refused("bad_direction")
    accepted: dict[str, _Accepted] = {}
    legs: dict[str, LegSpec] = {}
    seen: dict[str, int] = {}
    for section in wanted:
        slot = seen.get(section.kind, 0)
        seen[section.kind] = slot + 1
        taken = _accept(section, VIEWER)
        if taken is None:
            continue
        accepted[section.mid] = taken
        legs[section.mid] = _leg(taken, slot, new_ssrc)
    if not accepted:
        raise Refused("no_codec")
    remote = _remote(offer, list(accepted))
    setup = _setup_line(remote)
    sdp = _write(
        offer,
        accepted,
        local,
        lambda taken: [setup, *_sending_lines(legs[taken.section.mid], local.cname)],
    )
    return Negotiated(sdp, remote, legs=tuple(legs.values()))


def write_restart(local: Local, mid: str) -> bytes:
    """Write the fragment that answers an ICE restart (RFC 9725 section 4.3.2)."""
    lines = [
        "a=ice-lite",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        *_candidate_lines(local.addresses),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _media_sections(offer: Offer) -> list[Section]:
    sections = [
        section
        for section in offer.sections
        if section.kind in ("audio", "video") and not section.is_rejected
    ]
    if not sections:
        raise Refused("no_media")
    for section in sections:
        if section.protocol not in SECURE_PROTOCOLS:
            raise Refused("bad_sdp", "Media must be offered as UDP/TLS/RTP/SAVPF.")
        if len(sections) > 1 and section.mid not in offer.bundle:
            raise Refused("no_bundle")
    return sections


def _remote(offer: Offer, mids: Sequence[str]) -> Remote:
    """Take the transport of the first accepted m-line of the bundle (RFC 9143 section 7.2)."""
    order = [mid for mid in offer.bundle if mid in mids] or list(mids)
    by_mid = {section.mid: section for section in offer.sections}
    # A bundle-only m-line has no transport of its own; the offerer's tagged m-line has it.
    sections = [by_mid[mid] for mid in order] + list(offer.sections)
    section = next((one for one in sections if one.ufrag), sections[0])
    if not all(by_mid[mid].rtcp_mux for mid in mids):
        raise Refused("no_rtcp_mux")
    if offer.is_lite:
        raise Refused("no_ice", "The server is ICE-lite too; two lite ends never connect.")
    if not ICE_UFRAG.fullmatch(section.ufrag) or not ICE_PWD.fullmatch(section.pwd):
        raise Refused("no_ice")
    if section.setup not in ("actpass", "active", "passive"):
        raise Refused("bad_setup")
    usable = tuple(
        fingerprint
        for fingerprint in section.fingerprints
        if FINGERPRINT_BYTES.get(fingerprint.algorithm) == len(fingerprint.value)
    )
    if not usable:
        raise Refused("no_fingerprint")
    return Remote(section.ufrag, section.pwd, usable, section.setup == "passive")


def _setup_line(remote: Remote) -> str:
    # RFC 5763 section 5: passive answers actpass and active, active answers passive.
    return "a=setup:active" if remote.is_passive else "a=setup:passive"


def _accept(section: Section, policy: Policy) -> _Accepted | None:
    kind = Kind(section.kind)
    names = FORWARDABLE[kind]
    formats = tuple(offered for offered in section.formats if offered.name in names)
    if not formats:
        return None
    kept = {offered.payload_type for offered in formats}
    repairs: dict[int, int] = {}
    repair_formats = []
    for offered in section.formats:
        if offered.name != "rtx":
            continue
        repaired = _number(parse_parameters(offered.fmtp).get("apt", ""))
        if repaired in kept and repaired not in repairs.values():
            repairs[offered.payload_type] = repaired
            repair_formats.append(offered)
    offers_reports = any(TRANSPORT_FEEDBACK in offered.feedback for offered in formats)
    ids = {
        uri: section.extensions[uri]
        for uri in policy.extensions[kind]
        if uri in section.extensions and (uri != TRANSPORT_WIDE or offers_reports)
    }
    # Streams whose SSRCs nobody names can be told apart by this extension only.
    layers = section.layers[:LAYERS_MAX] if RID in ids and len(section.layers) > 1 else ()
    if not layers:
        ids = {uri: number for uri, number in ids.items() if uri not in (RID, REPAIRED_RID)}
    wanted = policy.feedback[kind]
    return _Accepted(section, kind, formats, repairs, tuple(repair_formats), ids, wanted, layers)


def _number(text: str) -> int:
    """Read a payload type of an fmtp; -1, which no format has, when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1


def _track(taken: _Accepted) -> TrackSpec:
    section = taken.section
    groups = {
        semantics: numbers for semantics, numbers in reversed(section.groups) if len(numbers) > 1
    }
    # A publisher that offers layers by SSRC sends the first one when none is answered.
    first = groups.get("SIM", groups.get("FID", section.ssrcs[:1]))[:1]
    ssrc = first[0] if first else None
    rtx_ssrc = next(
        (
            numbers[1]
            for semantics, numbers in section.groups
            if semantics == "FID" and len(numbers) == 2 and numbers[0] == ssrc
        ),
        None,
    )
    return TrackSpec(
        mid=section.mid,
        kind=taken.kind,
        codecs={offered.payload_type: taken.codec(offered) for offered in taken.formats},
        ssrc=None if taken.layers else ssrc,
        rtx_ssrc=None if taken.layers else rtx_ssrc,
        rtx=taken.repairs,
        extensions=taken.extensions,
        feedback=taken.feedback(),
        rids=taken.layers,
    )


def _layer_lines(layers: Sequence[str]) -> list[str]:
    if not layers:
        return []
    return [*(f"a=rid:{rid} recv" for rid in layers), f"a=simulcast:recv {';'.join(layers)}"]


def _leg(taken: _Accepted, slot: int, new_ssrc: Callable[[], int]) -> LegSpec:
    payload_types: dict[Codec, int] = {}
    for offered in taken.formats:
        payload_types.setdefault(taken.codec(offered), offered.payload_type)
    return LegSpec(
        mid=taken.section.mid,
        kind=taken.kind,
        slot=slot,
        ssrc=new_ssrc(),
        payload_types=with_aliases(payload_types),
        rtx_ssrc=new_ssrc() if taken.repairs else None,
        rtx={media: repair for repair, media in taken.repairs.items()},
        extensions=taken.extensions,
        feedback=taken.feedback(),
    )


def _sending_lines(leg: LegSpec, cname: str) -> list[str]:
    label = f"slot-{leg.slot}"
    lines = [f"a=msid:{label} {label}-{leg.kind}", "a=sendonly"]
    if leg.rtx_ssrc is not None:
        lines.append(f"a=ssrc-group:FID {leg.ssrc} {leg.rtx_ssrc}")
    for ssrc in (leg.ssrc, leg.rtx_ssrc):
        if ssrc is not None:
            lines.append(f"a=ssrc:{ssrc} cname:{cname}")
            lines.append(f"a=ssrc:{ssrc} msid:{label} {label}-{leg.kind}")
    return lines


def _write(
    offer: Offer,
    accepted: Mapping[str, _Accepted],
    local: Local,
    own_lines: Callable[[_Accepted], list[str]],
) -> str:
    bundled = [mid for mid in offer.bundle if mid in accepted]
    lines = [
        "v=0",
        f"o=- {local.session_number} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=msid-semantic: WMS *",
    ]
    if bundled:
        lines.append(f"a=group:BUNDLE {' '.join(bundled)}")
    for section in offer.sections:
        taken = accepted.get(section.mid)
        if taken is None:
            lines += _rejected_lines(section)
            continue
        lines += _accepted_lines(taken, local, own_lines(taken))
        # RFC 9143 section 7.3.1 asks for them at the tag only; some clients (aiortc with
        # max-bundle) read those of the last m-line, and the others ignore the repetition.
        lines += _candidate_lines(local.addresses)
    return "".join(f"{line}\r\n" for line in lines)


def _rejected_lines(section: Section) -> list[str]:
    return [
        f"m={section.kind} 0 {section.protocol} {section.raw_formats}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{section.mid}",
        "a=inactive",
    ]


def _accepted_lines(taken: _Accepted, local: Local, own_lines: list[str]) -> list[str]:
    section = taken.section
    kept = {offered.payload_type for offered in (*taken.formats, *taken.repair_formats)}
    formats = [offered for offered in section.formats if offered.payload_type in kept]
    numbers = " ".join(str(offered.payload_type) for offered in formats)
    host, port = local.addresses[0]
    lines = [
        f"m={section.kind} {port} {section.protocol} {numbers}",
        f"c=IN {_family(host)} {host}",
        f"a=mid:{section.mid}",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.pwd}",
        f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value.hex(':').upper()}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *own_lines,
    ]
    lines += [f"a=extmap:{number} {uri}" for uri, number in taken.extensions.items()]
    for offered in formats:
        lines += _format_lines(offered, taken.feedback_of(offered))
    return lines


def _format_lines(offered: Format, feedback: Sequence[str]) -> list[str]:
    number = offered.payload_type
    name = offered.name if offered.name in ("opus", "rtx") else offered.name.upper()
    channels = f"/{offered.channels}" if offered.channels > 1 else ""
    lines = [f"a=rtpmap:{number} {name}/{offered.clock_rate}{channels}"]
    if offered.fmtp:
        lines.append(f"a=fmtp:{number} {offered.fmtp}")
    if offered.name != "rtx":
        lines += [f"a=rtcp-fb:{number} {text}" for text in feedback]
    return lines


def _candidate_lines(addresses: Sequence[tuple[str, int]]) -> list[str]:
    lines = []
    for index, (host, port) in enumerate(addresses):
        # RFC 8445 section 5.1.2.1: type, then local preference, then component.
        priority = (CANDIDATE_TYPE_PREFERENCE << 24) + ((65535 - index) << 8) + 255
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {host} {port} typ host")
    return [*lines, "a=end-of-candidates"]


def _family(host: str) -> str:
    try:
        return f"IP{ipaddress.ip_address(host).version}"
    except ValueError:
        return "IP4"
