"""Which codecs can be forwarded, and when two descriptions mean the same one.

Pure functions of rtpmap and fmtp text. Identity leaves out what only limits (level, bitrate):
a forwarder never decodes, so profile and packetization decide, levels do not.
"""

from collections.abc import Iterator, Mapping

from sfu.media.model import Codec, Kind

FORWARDABLE: Mapping[Kind, frozenset[str]] = {
    Kind.VIDEO: frozenset({"vp8", "vp9", "h264", "h265", "av1"}),
    Kind.AUDIO: frozenset({"opus", "g722", "pcmu", "pcma"}),
}
"""Redundancy (red, ulpfec, flexfec), comfort noise and tones are left out of every answer:
each would need its own treatment when packets of several sources meet in one leg."""

STATIC_FORMATS: Mapping[int, tuple[str, int]] = {
    0: ("pcmu", 8000),
    8: ("pcma", 8000),
    9: ("g722", 8000),
}
"""Payload types that need no rtpmap (RFC 3551 section 6)."""

PROFILE_BASELINE = "baseline"
PROFILE_CONSTRAINED_BASELINE = "constrained-baseline"
PROFILE_MAIN = "main"
PROFILE_CONSTRAINED_HIGH = "constrained-high"
PROFILE_HIGH = "high"

H264_PROFILES: tuple[tuple[int, int, int, str], ...] = (
    # profile_idc, mask and value of profile_iop, name (RFC 6184 section 8.1, table 5)
    (0x42, 0x4F, 0x40, PROFILE_CONSTRAINED_BASELINE),
    (0x4D, 0x8F, 0x80, PROFILE_CONSTRAINED_BASELINE),
    (0x58, 0xCF, 0xC0, PROFILE_CONSTRAINED_BASELINE),
    (0x42, 0x4F, 0x00, PROFILE_BASELINE),
    (0x58, 0xCF, 0x80, PROFILE_BASELINE),
    (0x4D, 0xAF, 0x00, PROFILE_MAIN),
    (0x64, 0xFF, 0x00, PROFILE_HIGH),
    (0x64, 0xFF, 0x0C, PROFILE_CONSTRAINED_HIGH),
)
DECODED_BY: Mapping[str, tuple[str, ...]] = {
    PROFILE_CONSTRAINED_BASELINE: (
        PROFILE_CONSTRAINED_BASELINE,
        PROFILE_BASELINE,
        PROFILE_MAIN,
        PROFILE_CONSTRAINED_HIGH,
        PROFILE_HIGH,
    ),
    # What calls itself baseline never uses the slice groups that set it apart from the rest.
    PROFILE_BASELINE: (
        PROFILE_BASELINE,
        PROFILE_CONSTRAINED_BASELINE,
        PROFILE_MAIN,
        PROFILE_CONSTRAINED_HIGH,
        PROFILE_HIGH,
    ),
    PROFILE_MAIN: (PROFILE_MAIN, PROFILE_HIGH),
    PROFILE_CONSTRAINED_HIGH: (PROFILE_CONSTRAINED_HIGH, PROFILE_HIGH),
    PROFILE_HIGH: (PROFILE_HIGH,),
}
"""A stream of the key's profile plays in a decoder of any of these, best first."""

DEFAULT_H264_PROFILE = "42000a"
"""What an absent profile-level-id means (RFC 6184 section 8.1): baseline, level 1."""


def parse_parameters(fmtp: str) -> dict[str, str]:
    """Read the parameters of one fmtp value; a bare word maps to the empty string."""
    parameters = {}
    for part in fmtp.split(";"):
        key, _, value = part.strip().partition("=")
        if key:
            parameters[key.strip().lower()] = value.strip()
    return parameters


def h264_profile(profile_level_id: str) -> str:
    """Name the profile of a profile-level-id; an unknown one stands for itself."""
    try:
        number = int(profile_level_id[:4], 16)
    except ValueError:
        return profile_level_id.lower()[:4]
    idc, iop = number >> 8, number & 0xFF
    for known_idc, mask, value, name in H264_PROFILES:
        if idc == known_idc and iop & mask == value:
            return name
    return f"{number:04x}"


def identity(kind: Kind, name: str, clock_rate: int, channels: int, fmtp: str) -> Codec:
    """Build the codec that two ends must share for a packet to make sense to both."""
    name = name.lower()
    given = parse_parameters(fmtp)
    match name:
        case "h264":
            profile = h264_profile(given.get("profile-level-id") or DEFAULT_H264_PROFILE)
            # RFC 6184 section 8.1: an absent packetization-mode means 0, single NAL units.
            mode = given.get("packetization-mode") or "0"
            parameters = f"profile={profile};packetization-mode={mode}"
        case "vp9":
            parameters = f"profile-id={given.get('profile-id') or '0'}"
        case "av1":
            parameters = f"profile={given.get('profile') or '0'}"
        case "h265":
            profile, tier = given.get("profile-id") or "1", given.get("tier-flag") or "0"
            parameters = f"profile-id={profile};tier-flag={tier}"
        case _:
            parameters = ""
    return Codec(kind, name, clock_rate, channels, parameters)


def playable_as(codec: Codec) -> Iterator[Codec]:
    """Name the codecs whose decoder plays this one, itself first.

    Only H264 has more than one: its profiles contain each other, and packetization mode 1
    contains mode 0.
    """
    yield codec
    if codec.name != "h264":
        return
    given = parse_parameters(codec.parameters)
    modes = {"0": ("0", "1")}.get(given["packetization-mode"], (given["packetization-mode"],))
    for profile in DECODED_BY.get(given["profile"], ()):
        for mode in modes:
            parameters = f"profile={profile};packetization-mode={mode}"
            if parameters != codec.parameters:
                yield Codec(codec.kind, codec.name, codec.clock_rate, codec.channels, parameters)


def with_aliases(payload_types: Mapping[Codec, int]) -> dict[Codec, int]:
    """Add to a viewer's table the codecs its decoders play although it did not name them."""
    complete = dict(payload_types)
    if not any(codec.name == "h264" for codec in payload_types):
        return complete
    for profile in DECODED_BY:
        for mode in ("0", "1"):
            source = Codec(
                Kind.VIDEO, "h264", 90000, 1, f"profile={profile};packetization-mode={mode}"
            )
            for played in playable_as(source):
                if played in payload_types:
                    complete.setdefault(source, payload_types[played])
                    break
    return complete
