"""What an m-line is answered with beyond its codecs: header extensions and feedback, each way.

Only what the engine builds or reads itself is answered; every other id would promise too much.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sfu.media.model import Kind
from sfu.media.shape import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_WIDE,
)

LAYERS_MAX = 3
"""Simulcast streams taken of one m-line; further ones are left out of the answer."""
TRANSPORT_FEEDBACK = "transport-cc"


@dataclass(frozen=True, slots=True)
class Policy:
    """URIs and a=rtcp-fb values that are accepted where they are offered, in this order."""

    extensions: Mapping[Kind, tuple[str, ...]]
    feedback: Mapping[Kind, tuple[str, ...]]


PUBLISHER = Policy(
    extensions={
        Kind.AUDIO: (MID, AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_WIDE),
        Kind.VIDEO: (MID, RID, REPAIRED_RID, ABS_SEND_TIME, TRANSPORT_WIDE),
    },
    feedback={
        Kind.AUDIO: ("goog-remb", TRANSPORT_FEEDBACK, "nack"),
        Kind.VIDEO: ("goog-remb", TRANSPORT_FEEDBACK, "ccm fir", "nack", "nack pli"),
    },
)
"""A browser that is told when its packets arrive raises its bitrate in a second or two; REMB
beside it is the ceiling."""

VIEWER = Policy(
    extensions={
        Kind.AUDIO: (MID, AUDIO_LEVEL, ABS_SEND_TIME),
        Kind.VIDEO: (MID, ABS_SEND_TIME, PLAYOUT_DELAY),
    },
    feedback={
        Kind.AUDIO: ("goog-remb", "nack"),
        Kind.VIDEO: ("goog-remb", "ccm fir", "nack", "nack pli"),
    },
)
"""Without transport-cc: its reports, ten a second and viewer, would cost more than media."""
