"""What is accepted of an offer, and what the engine hears of it."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.control.answer import (
    Local,
    answer_publisher,
    answer_viewer,
)
from sfu.control.refusals import Refused
from sfu.control.sdp import Fingerprint, parse_offer
from sfu.media.model import Codec, Kind
from sfu.media.shape import ABS_SEND_TIME, AUDIO_LEVEL, MID, PLAYOUT_DELAY, RID, TRANSPORT_WIDE
from tests.sfu.raw_peer import MEDIA_SSRC, offer_text

LOCAL = Local(
    session_number=7,
    ufrag="ours",
    pwd="o" * 32,
    fingerprint=Fingerprint("sha-256", bytes(range(32))),
    addresses=(("192.0.2.1", 8082), ("2001:db8::1", 8082)),
    cname="cname",
)
VP8 = Codec(Kind.VIDEO, "vp8", 90000)
OPUS = Codec(Kind.AUDIO, "opus", 48000, 2)

TRANSPORT = (
    "a=ice-ufrag:peer\r\na=ice-pwd:" + "p" * 22 + "\r\na=setup:actpass\r\na=rtcp-mux\r\n"
    "a=fingerprint:sha-256 " + ":".join(["00"] * 32) + "\r\n"
)
HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def publish(text: str):  # type: ignore[no-untyped-def]
    return answer_publisher(parse_offer(text.encode()), LOCAL)


def watch(text: str):  # type: ignore[no-untyped-def]
    numbers = itertools.count(1000)
    return answer_viewer(parse_offer(text.encode()), LOCAL, lambda: next(numbers))


def section(answer: str, index: int) -> list[str]:
    """Return the lines of one m-line of an answer."""
    parts = re.split(r"(?m)^(?=m=)", answer)
    return parts[index + 1].splitlines()


def refusal(work, text: str) -> str:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as caught:
        work(text)
    return caught.value.code


def test_the_answer_to_a_publisher_is_lite_passive_and_complete() -> None:
    answer = publish(offer_text()).sdp
    head = answer.partition("m=")[0].splitlines()
    assert "a=ice-lite" in head
    assert "a=group:BUNDLE 0 1" in head
    for index in (0, 1):
        lines = section(answer, index)
        for line in ("a=recvonly", "a=setup:passive", "a=rtcp-mux", "a=ice-ufrag:ours"):
            assert line in lines
        assert [line for line in lines if line.startswith("a=fingerprint:sha-256 00:01:02")]
        candidates = [line for line in lines if line.startswith("a=candidate")]
        assert [line.split()[4] for line in candidates] == ["192.0.2.1", "2001:db8::1"]
        assert int(candidates[0].split()[3]) > int(candidates[1].split()[3])
        assert lines.count("a=end-of-candidates") == 1
    assert answer.endswith("\r\n")


def test_a_publishers_tracks_are_described() -> None:
    text = HEAD + (
        "a=group:BUNDLE v\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=mid:v\r\na=sendonly\r\n"
        + TRANSPORT
        + f"a=extmap:4 {MID}\r\na=extmap:5 {ABS_SEND_TIME}\r\na=extmap:6 urn:other\r\n"
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
        "a=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 ccm fir\r\n"
        "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 ulpfec/90000\r\n"
        "a=ssrc-group:FID 11 22\r\na=ssrc:11 cname:x\r\na=ssrc:22 cname:x\r\n"
    )
    made = publish(text)
    (track,) = made.tracks
    assert (track.mid, track.kind, track.ssrc, track.rtx_ssrc) == ("v", Kind.VIDEO, 11, 22)
    assert track.codecs == {96: VP8}
    assert track.rtx == {97: 96}
    assert track.extensions == {MID: 4, ABS_SEND_TIME: 5}
    assert track.feedback == {"nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"}
    lines = section(made.sdp, 0)
    assert lines[0].endswith(" 96 97")
    assert "a=rtcp-fb:96 nack pli" in lines
    assert not [line for line in lines if "urn:other" in line]


def test_reports_of_arrival_are_agreed_on_with_publishers_that_offer_both_halves() -> None:
    extension = f"a=extmap:9 {TRANSPORT_WIDE}"
    feedback = "a=rtcp-fb:* transport-cc"
    for offered, agreed in (((extension, feedback), True), ((extension,), False)):
        made = publish(offer_text(extra=offered))
        for track in made.tracks:
            assert (TRANSPORT_WIDE in track.extensions) is agreed
            assert ("transport-cc" in track.feedback) is agreed
        assert made.sdp.count(f"{extension}\r\n") == 2 * agreed
    viewer = watch(offer_text(direction="recvonly", extra=(extension, feedback)))
    assert "transport-cc" not in viewer.sdp
    assert TRANSPORT_WIDE not in viewer.sdp


def test_playout_delay_is_answered_to_viewers_video_only() -> None:
    extra = (f"a=extmap:9 {PLAYOUT_DELAY}",)
    made = watch(offer_text(direction="recvonly", extra=extra))
    assert {leg.kind: leg.extensions.get(PLAYOUT_DELAY) for leg in made.legs} == {
        Kind.AUDIO: None,
        Kind.VIDEO: 9,
    }
    assert made.sdp.count(PLAYOUT_DELAY) == 1
    assert PLAYOUT_DELAY not in publish(offer_text(extra=extra)).sdp


def test_a_publisher_without_ssrc_lines_is_fine() -> None:
    text = re.sub(r"a=ssrc:.*\r\n", "", offer_text())
    assert {track.ssrc for track in publish(text).tracks} == {None}


def test_simulcast_is_answered_with_the_layers_that_can_be_told_apart() -> None:
    rids = tuple(f"a=rid:{rid} send" for rid in "qhfx")
    extra = (*rids, "a=simulcast:send q;h,x;~f;z recv y")
    made = publish(offer_text(media=("video",), extra=(*extra, f"a=extmap:10 {RID}")))
    assert [track.rids for track in made.tracks] == [("q", "h", "f")]
    lines = section(made.sdp, 0)
    assert [line for line in lines if "rid:" in line] == [f"a=rid:{rid} recv" for rid in "qhf"]
    assert "a=simulcast:recv q;h;f" in lines
    assert f"a=extmap:10 {RID}" in lines
    # Without the extension one could not tell whose a packet is.
    (track,) = publish(offer_text(media=("video",), extra=extra)).tracks
    assert (track.rids, track.ssrc) == ((), MEDIA_SSRC)


def test_more_layers_than_we_take_are_left_out() -> None:
    rids = tuple(f"a=rid:{rid} send" for rid in "abcd")
    extra = (*rids, "a=simulcast:send a;b;c;d", f"a=extmap:10 {RID}")
    assert "a=simulcast:recv a;b;c\r\n" in publish(offer_text(media=("video",), extra=extra)).sdp


def test_one_layer_is_no_simulcast() -> None:
    extra = ("a=rid:q send", "a=simulcast:send q", f"a=extmap:10 {RID}")
    made = publish(offer_text(media=("video",), extra=extra))
    assert "rid" not in made.sdp
    assert RID not in made.tracks[0].extensions


def test_the_first_of_a_simulcast_ssrc_group_is_taken() -> None:
    extra = ("a=ssrc-group:SIM 5 6", "a=ssrc-group:FID 5 50", "a=ssrc-group:FID 6 60")
    (track,) = publish(offer_text(media=("video",), extra=extra)).tracks
    assert (track.ssrc, track.rtx_ssrc) == (5, 50)


def test_the_answer_to_a_viewer_sends_and_names_slots() -> None:
    text = offer_text(direction="recvonly", media=("video", "audio", "video", "audio"))
    made = watch(text)
    assert [(leg.kind, leg.slot) for leg in made.legs] == [
        (Kind.VIDEO, 0),
        (Kind.AUDIO, 0),
        (Kind.VIDEO, 1),
        (Kind.AUDIO, 1),
    ]
    assert len({leg.ssrc for leg in made.legs}) == 4
    for index, slot in enumerate((0, 0, 1, 1)):
        lines = section(made.sdp, index)
        assert "a=sendonly" in lines
        assert [line for line in lines if line.startswith(f"a=msid:slot-{slot} ")]
        assert f"a=ssrc:{made.legs[index].ssrc} cname:cname" in lines


def test_a_viewer_keeps_every_codec_that_can_be_forwarded() -> None:
    text = HEAD + (
        "a=group:BUNDLE 0 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 102 103 104\r\n"
        "a=mid:0\r\na=recvonly\r\n" + TRANSPORT + "a=rtpmap:96 VP8/90000\r\n"
        "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 VP9/90000\r\n"
        "a=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=1;profile-level-id=42e01f\r\n"
        "a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=0;profile-level-id=42e01f\r\n"
        "a=rtpmap:101 AV1/90000\r\na=rtpmap:102 H265/90000\r\na=rtpmap:103 red/90000\r\n"
        "a=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 63 13\r\na=mid:1\r\na=recvonly\r\n"
        + TRANSPORT
        + f"a=extmap:2 {AUDIO_LEVEL}\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:13 CN/8000\r\n"
    )
    made = watch(text)
    video, audio = made.legs
    assert section(made.sdp, 0)[0] == "m=video 8082 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 102"
    assert section(made.sdp, 1)[0] == "m=audio 8082 UDP/TLS/RTP/SAVPF 111 0 8"
    assert video.payload_types[VP8] == 96
    assert video.rtx == {96: 97}
    assert video.rtx_ssrc is not None
    assert {99, 100} <= set(video.payload_types.values())
    assert audio.payload_types[OPUS] == 111
    assert audio.rtx_ssrc is None
    assert audio.extensions == {AUDIO_LEVEL: 2}


def test_a_bundle_only_m_line_is_accepted() -> None:
    text = offer_text(direction="recvonly", media=("video", "audio"))
    text = text.replace("m=audio 9", "m=audio 0").replace(
        "a=mid:1\r\n", "a=mid:1\r\na=bundle-only\r\n"
    )
    made = watch(text)
    assert len(made.legs) == 2
    assert section(made.sdp, 1)[0].startswith("m=audio 8082 ")


@pytest.mark.parametrize("work", [publish, watch])
def test_data_channels_are_rejected_with_port_zero(work) -> None:  # type: ignore[no-untyped-def]
    direction = "sendonly" if work is publish else "recvonly"
    text = offer_text(direction=direction, media=("video",)).replace("BUNDLE 0", "BUNDLE 0 d")
    text += "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n"
    answer = work(text).sdp
    assert section(answer, 1)[0] == "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"
    assert "a=group:BUNDLE 0\r\n" in answer


def test_a_viewers_m_line_without_a_codec_of_ours_is_rejected_alone() -> None:
    text = offer_text(direction="recvonly", media=("audio", "video")).replace("VP8", "THEORA")
    made = watch(text)
    assert [leg.kind for leg in made.legs] == [Kind.AUDIO]
    assert section(made.sdp, 1)[0].startswith("m=video 0 ")


def test_the_bundle_may_begin_with_a_rejected_m_line() -> None:
    """The transport of the first accepted m-line counts then."""
    text = offer_text(direction="recvonly", media=("video", "audio")).replace("VP8", "THEORA")
    made = watch(text)
    assert "a=group:BUNDLE 1\r\n" in made.sdp
    assert "a=candidate" in "".join(section(made.sdp, 1))


@pytest.mark.parametrize(
    ("work", "text", "expected"),
    [
        (publish, offer_text(direction="recvonly"), "bad_direction"),
        (publish, offer_text(direction="inactive"), "bad_direction"),
        (watch, offer_text(direction="sendonly"), "bad_direction"),
        (watch, offer_text(direction="inactive"), "bad_direction"),
        (publish, offer_text(media=("video", "video")), "too_many_tracks"),
        (publish, offer_text(media=("audio", "audio", "video")), "too_many_tracks"),
        (publish, offer_text().replace("VP8", "THEORA"), "no_codec"),
        (watch, offer_text(direction="recvonly", media=("video",)).replace("VP8", "X"), "no_codec"),
        (publish, offer_text().replace("a=rtcp-mux\r\n", ""), "no_rtcp_mux"),
        (publish, offer_text().replace("a=group:BUNDLE 0 1\r\n", ""), "no_bundle"),
        (publish, offer_text().replace("a=fingerprint:sha-256", "a=x"), "no_fingerprint"),
        (
            publish,
            offer_text(fingerprint=Fingerprint("sha-1", bytes(20))),
            "no_fingerprint",
        ),
        (publish, offer_text(fingerprint=Fingerprint("sha-256", bytes(20))), "no_fingerprint"),
        (publish, offer_text(ufrag="x"), "no_ice"),
        (publish, offer_text().replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), "no_ice"),
        (publish, offer_text(pwd="short"), "no_ice"),
        (publish, offer_text().replace("a=ice-pwd", "a=x"), "no_ice"),
        (publish, offer_text(setup="holdconn"), "bad_setup"),
        (publish, offer_text().replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "bad_sdp"),
        (publish, HEAD, "no_media"),
        (
            publish,
            offer_text().replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0"),
            "no_media",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused_whole(work, text: str, expected: str) -> None:  # type: ignore[no-untyped-def]
    assert refusal(work, text) == expected


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active")],
)
def test_the_setup_role_fits_the_offer(offered: str, answered: str) -> None:
    made = publish(offer_text(setup=offered))
    assert f"a=setup:{answered}" in section(made.sdp, 0)
    assert made.remote.is_passive is (offered == "passive")


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(offer_text(media=("video", "audio")).split("\r\n")[:-1]),
        st.sampled_from(
            [
                "",
                "a=mid:0",
                "a=mid:9",
                "a=rtpmap:96 H264/90000",
                "a=fmtp:96 apt=96",
                "a=rtpmap:111 rtx/90000",
                "a=fmtp:111 apt=111",
                "a=bundle-only",
                "a=inactive",
                "a=ssrc-group:FID 1",
                "a=ssrc-group:SIM 1 2",
                "a=extmap:1 urn:x",
                "a=recvonly",
            ]
        ),
    ),
    max_size=4,
)


@given(CHANGES, st.sampled_from(["sendonly", "recvonly", "sendrecv"]))
def test_any_readable_offer_gets_a_readable_answer_or_a_refusal(
    changes: list[tuple[str, str]], direction: str
) -> None:
    text = offer_text(direction=direction, media=("video", "audio"))
    for old, new in changes:
        text = text.replace(f"{old}\r\n", f"{new}\r\n" if new else "", 1)
    for work in (publish, watch):
        try:
            made = work(text)
        except Refused:
            continue
        answer = parse_offer(made.sdp.encode())
        offer = parse_offer(text.encode())
        assert [section.mid for section in answer.sections] == [s.mid for s in offer.sections]
        for leg in made.legs:
            assert set(leg.rtx) <= set(leg.payload_types.values())
        for track in made.tracks:
            assert set(track.rtx.values()) <= set(track.codecs)


def test_one_m_line_needs_no_bundle() -> None:
    text = offer_text(media=("video",)).replace("a=group:BUNDLE 0\r\n", "")
    assert "a=group" not in publish(text).sdp


def test_sendrecv_is_taken_as_the_needed_half() -> None:
    assert "a=recvonly" in publish(offer_text(direction="sendrecv")).sdp
    assert "a=sendonly" in watch(offer_text(direction="sendrecv")).sdp
