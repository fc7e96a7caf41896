"""Offers: a value or one documented refusal, nothing else, whatever comes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.control.refusals import Refused
from sfu.control.sdp import (
    CANDIDATES_MAX,
    EXTENSIONS_MAX,
    FORMATS_MAX,
    LINE_LENGTH_MAX,
    MEDIA_LINES_MAX,
    OFFER_BYTES_MAX,
    SECTION_LINES_MAX,
    Format,
    parse_fragment,
    parse_offer,
)
from tests.sfu.raw_peer import offer_text

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
MEDIA = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"


def refusal(text: str | bytes) -> str:
    body = text.encode() if isinstance(text, str) else text
    with pytest.raises(Refused) as caught:
        parse_offer(body)
    return caught.value.code


def test_a_browsers_section_is_read() -> None:
    text = HEAD + (
        "a=group:BUNDLE 0 1\r\n"
        "a=fingerprint:SHA-256 " + ":".join(["AB"] * 32) + "\r\n"
        "a=setup:actpass\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
        "a=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
        "a=sendonly\r\na=rtcp-mux-only\r\n"
        "a=extmap:3/sendonly urn:ietf:params:rtp-hdrext:sdes:mid extra words\r\n"
        "a=extmap:200 urn:too-large-for-one-byte\r\n"
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:* nack\r\na=rtcp-fb:96 nack   pli\r\n"
        "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
        "a=rid:q send\r\na=rid:h send\r\na=simulcast:send q;h\r\n"
        "a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\n"
        "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=bundle-only\r\n"
    )
    offer = parse_offer(text.encode())
    video, audio = offer.sections
    assert offer.bundle == ("0", "1")
    assert (video.mid, video.direction, video.rtcp_mux) == ("0", "sendonly", True)
    assert (video.ufrag, video.setup) == ("abcd", "actpass")
    assert video.fingerprints[0].algorithm == "sha-256"
    assert video.formats[0] == Format(96, "vp8", 90000, 1, "", frozenset({"nack", "nack pli"}))
    assert video.formats[1].fmtp == "apt=96"
    assert video.extensions == {"urn:ietf:params:rtp-hdrext:sdes:mid": 3}
    assert (video.layers, video.ssrcs) == (("q", "h"), (1, 2))
    assert video.groups == (("FID", (1, 2)),)
    assert not audio.is_rejected
    assert audio.formats[0].name == "pcmu"


def test_line_feeds_alone_are_fine() -> None:
    assert parse_offer(offer_text().replace("\r\n", "\n").encode()).sections[0].kind == "audio"


def test_an_m_line_switched_off_is_told_from_a_bundled_one() -> None:
    off = parse_offer((HEAD + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n").encode())
    assert off.sections[0].is_rejected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=1\r\n",
        "hello",
        HEAD + "m=video\r\n",
        HEAD + "m=video x UDP/TLS/RTP/SAVPF 96\r\n",
        HEAD + "m=video 99999 UDP/TLS/RTP/SAVPF 96\r\n",
        HEAD + "m=flute 9 UDP/TLS/RTP/SAVPF 96\r\n",
        HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 128\r\n",
        HEAD + "m=video 9 UDP/TLS/RTP/SAVPF x\r\n",
        HEAD + MEDIA + "a=rtpmap:96\r\na=rtpmap:\r\n",
        HEAD + MEDIA + "a=rtpmap:96 VP8\r\n",
        HEAD + MEDIA + "a=rtpmap:96 VP8/fast\r\n",
        HEAD + MEDIA + "a=rtpmap:96 VP8/0\r\n",
        HEAD + MEDIA + "a=rtpmap:96 V P/90000\r\n",
        HEAD + MEDIA + "a=rtpmap:300 VP8/90000\r\n",
        HEAD + MEDIA + "a=rtcp-fb:96\r\n",
        HEAD + MEDIA + "a=extmap:x urn:y\r\n",
        HEAD + MEDIA + "a=extmap:0 urn:y\r\n",
        HEAD + MEDIA + "a=extmap:1\r\n",
        HEAD + MEDIA + "a=ssrc:-1 cname:x\r\n",
        HEAD + MEDIA + "a=ssrc:4294967296 cname:x\r\n",
        HEAD + MEDIA + "a=ssrc-group:FID one two\r\n",
        HEAD + MEDIA + "a=fingerprint:sha-256 XY\r\n",
        HEAD + MEDIA + "a=fingerprint:sha-256\r\n",
        HEAD + MEDIA + "a=setup:sideways\r\n",
        HEAD + MEDIA + "a=mid:a b\r\n",
        HEAD + MEDIA + "a=mid:" + "x" * 65 + "\r\n",
        HEAD + MEDIA + "a=sendonly\r\na=recvonly\r\n",
        HEAD + MEDIA + "no equals sign\r\n",
        HEAD + MEDIA + "a=fmtp:96 x\ra=ice-lite\r\n",
        HEAD + MEDIA + "a=mid:0\r\n" + MEDIA + "a=mid:0\r\n",
        HEAD + "a=x\0y\r\n",
        b"v=0\r\na=\xff\xfe\r\n",
    ],
)
def test_malformed_offers_are_refused(text: str | bytes) -> None:
    assert refusal(text) == "bad_sdp"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "a" * OFFER_BYTES_MAX, "too_large"),
        (HEAD + MEDIA * (MEDIA_LINES_MAX + 1), "bad_sdp"),
        (HEAD + MEDIA + "a=x\r\n" * SECTION_LINES_MAX, "bad_sdp"),
        (HEAD + "a=x:" + "y" * LINE_LENGTH_MAX + "\r\n", "bad_sdp"),
        (HEAD + MEDIA + "a=candidate:1\r\n" * (CANDIDATES_MAX + 1), "bad_sdp"),
        (
            HEAD + MEDIA + "".join(f"a=rtpmap:{n} VP8/90000\r\n" for n in range(FORMATS_MAX + 1)),
            "bad_sdp",
        ),
        (
            HEAD + MEDIA + "".join(f"a=extmap:1 urn:{n}\r\n" for n in range(EXTENSIONS_MAX + 1)),
            "bad_sdp",
        ),
        (
            HEAD
            + f"m=video 9 UDP/TLS/RTP/SAVPF {' '.join(str(n) for n in range(FORMATS_MAX + 1))}\r\n",
            "bad_sdp",
        ),
        (HEAD + MEDIA + "".join(f"a=ssrc:{n} cname:x\r\n" for n in range(33)), "bad_sdp"),
    ],
)
def test_every_bound_holds(text: str, expected: str) -> None:
    assert refusal(text) == expected


def outcome(parse: Callable[[bytes], object], body: bytes) -> str:
    """Return the code of the refusal, "" for a value; anything else is a failure."""
    try:
        parse(body)
    except Refused as refused:
        return refused.code
    return ""


@given(st.binary(max_size=600))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    assert outcome(parse_offer, body) in ("", "bad_sdp")
    assert outcome(parse_fragment, body) in ("", "bad_fragment")


ATTRIBUTES = st.sampled_from(
    [
        *("rtpmap", "fmtp", "rtcp-fb", "extmap", "ssrc", "ssrc-group", "rid", "group"),
        *("fingerprint", "candidate", "mid", "setup", "ice-ufrag", "ice-pwd", "sendonly"),
        *("rtcp-mux", "simulcast", "msid"),
    ]
)


@given(
    st.lists(
        st.tuples(ATTRIBUTES, st.text(alphabet="0123456789 abc/:;=-*\u00e9", max_size=24)),
        max_size=12,
    )
)
def test_any_attributes_are_a_value_or_a_refusal(attributes: list[tuple[str, str]]) -> None:
    text = HEAD + MEDIA + "".join(f"a={name}:{value}\r\n" for name, value in attributes)
    assert outcome(parse_offer, text.encode()) in ("", "bad_sdp")


@given(st.data())
def test_a_valid_offer_cut_or_changed_is_a_value_or_a_refusal(data: st.DataObject) -> None:
    body = bytearray(offer_text().encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    assert outcome(parse_offer, bytes(body)) in ("", "bad_sdp")


def test_a_fragment_is_read() -> None:
    body = (
        b"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=audio 9 RTP/AVP 0\r\n"
        b"a=mid:0\r\na=candidate:1 1 udp 1 x.local 1 typ host\r\na=end-of-candidates\r\n"
    )
    fragment = parse_fragment(body)
    assert (fragment.ufrag, fragment.pwd) == ("abcd", "abcdefghijklmnopqrstuv")
    assert fragment.candidates == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a=mid:0\r\n",
        b"a=ice-ufrag:a\r\n",
        b"a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n",
        b"\xff",
    ],
)
def test_malformed_fragments_are_refused(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_fragment(body)
    assert caught.value.code == "bad_fragment"
