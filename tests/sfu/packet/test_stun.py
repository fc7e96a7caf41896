"""Binding requests and successes, against the RFC's vectors and aioice's own writer."""

import struct
import zlib

import pytest
from aioice import stun as aioice_stun
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet import stun

TRANSACTION = bytes(range(12))
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769 section 2.1: a request with all that ICE sends.
RFC_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a6836765920202000080014"
    "9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
# RFC 5769 sections 2.2 and 2.3: responses for 192.0.2.1 and 2001:db8:1234:...:7788, port 32853.
RFC_SUCCESS_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
RFC_SUCCESS_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
    "1784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def request(**changes):
    arguments = {"username": "server:client", "password": PASSWORD, "priority": 1853824767}
    return stun.write_request(TRANSACTION, **(arguments | changes))


def with_attributes(attributes, *, kind=1):
    """A message with the given attributes, then a right fingerprint; integrity is the caller's."""
    head = struct.pack("!HHI", kind, len(attributes) + 8, stun.MAGIC_COOKIE) + TRANSACTION
    head += attributes
    return head + struct.pack("!HHI", 0x8028, 4, zlib.crc32(head) ^ 0x5354554E)


USERNAME = b"\x00\x06\x00\x03a:b\x00"
INTEGRITY = b"\x00\x08\x00\x14" + bytes(20)


def test_the_request_of_rfc_5769_is_read_and_verified():
    parsed = stun.parse_request(RFC_REQUEST)
    assert parsed == stun.BindingRequest(
        transaction=RFC_REQUEST[8:20],
        username="evtj:h6vY",
        priority=0x6E0001FF,
        controlled=0x932FF9B151263B36,
    )
    assert stun.verify_integrity(RFC_REQUEST, PASSWORD)
    assert not stun.verify_integrity(RFC_REQUEST, PASSWORD + "x")


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (RFC_SUCCESS_4, ("192.0.2.1", 32853)),
        (RFC_SUCCESS_6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_successes_of_rfc_5769_are_read_and_verified(data, address):
    parsed = stun.parse_success(data)
    assert parsed is not None
    assert parsed.address == address
    assert stun.verify_integrity(data, PASSWORD)


def test_what_we_ask_is_what_we_read():
    data = request(use_candidate=True, controlling=2**64 - 1)
    assert stun.parse_request(data) == stun.BindingRequest(
        transaction=TRANSACTION,
        username="server:client",
        priority=1853824767,
        use_candidate=True,
        controlling=2**64 - 1,
    )
    assert stun.verify_integrity(data, PASSWORD)


def test_aioice_understands_our_request():
    data = request(use_candidate=True, controlling=7)
    message = aioice_stun.parse_message(data)
    assert message.check_message_integrity(PASSWORD.encode())
    assert message.attributes["USERNAME"] == "server:client"
    assert message.attributes["ICE-CONTROLLING"] == 7
    assert "USE-CANDIDATE" in message.attributes


def test_we_understand_aioices_request():
    message = aioice_stun.Message(
        message_method=aioice_stun.Method.BINDING,
        message_class=aioice_stun.Class.REQUEST,
        transaction_id=TRANSACTION,
    )
    message.attributes["USERNAME"] = "a:b"
    message.attributes["PRIORITY"] = 99
    message.attributes["ICE-CONTROLLED"] = 5
    message.add_message_integrity(PASSWORD.encode())
    data = bytes(message)
    parsed = stun.parse_request(data)
    assert parsed is not None
    assert (parsed.username, parsed.priority, parsed.controlled) == ("a:b", 99, 5)
    assert stun.verify_integrity(data, PASSWORD)


@pytest.mark.parametrize("address", [("192.0.2.7", 1), ("2001:db8::1", 65535), ("::1", 40000)])
def test_a_success_tells_the_address_to_us_and_to_aioice(address):
    data = stun.write_success(TRANSACTION, address, PASSWORD)
    assert stun.parse_success(data) == stun.BindingSuccess(TRANSACTION, address)
    message = aioice_stun.parse_message(data)
    assert message.check_message_integrity(PASSWORD.encode())
    assert message.attributes["XOR-MAPPED-ADDRESS"] == address


def test_an_ipv4_peer_of_a_dual_stack_socket_hears_its_ipv4_address():
    data = stun.write_success(TRANSACTION, ("::ffff:192.0.2.7", 9), PASSWORD)
    assert stun.parse_success(data) == stun.BindingSuccess(TRANSACTION, ("192.0.2.7", 9))


@pytest.mark.parametrize("data", [request(), RFC_REQUEST])
def test_no_prefix_and_no_tail_is_a_request(data):
    for size in range(len(data)):
        assert stun.parse_request(data[:size]) is None
    assert stun.parse_request(data + b"\0") is None
    assert stun.parse_request(data + b"\0\0\0\0") is None


def test_every_changed_bit_is_noticed():
    data = request()
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            parsed = stun.parse_request(bytes(changed))
            assert parsed is None or not stun.verify_integrity(bytes(changed), PASSWORD), at


def test_a_forger_without_the_password_is_not_believed_even_with_a_right_fingerprint():
    data = with_attributes(USERNAME + INTEGRITY)
    assert stun.parse_request(data) is not None
    assert not stun.verify_integrity(data, PASSWORD)


def test_attributes_after_message_integrity_do_not_count():
    late = b"\x00\x25\x00\x00"
    parsed = stun.parse_request(with_attributes(USERNAME + INTEGRITY + late))
    assert parsed is not None
    assert not parsed.use_candidate


def test_the_first_of_two_usernames_counts():
    parsed = stun.parse_request(with_attributes(USERNAME + b"\x00\x06\x00\x01z\0\0\0" + INTEGRITY))
    assert parsed is not None
    assert parsed.username == "a:b"


@pytest.mark.parametrize(
    "attributes",
    [
        INTEGRITY,  # no user name
        USERNAME,  # no integrity
        b"\x00\x06\x00\x00" + INTEGRITY,  # an empty user name
        b"\x00\x06\x00\x02\xff\xfe\0\0" + INTEGRITY,  # not UTF-8
        b"\x00\x06\x02\x02" + b"u" * 516 + INTEGRITY,  # too long
        USERNAME + b"\x00\x24\x00\x03abc\0" + INTEGRITY,  # priority of three bytes
        USERNAME + b"\x80\x2a\x00\x04abcd" + INTEGRITY,  # a tie breaker of four
        USERNAME + b"\x7f\xff\x00\x00" + INTEGRITY,  # must be understood, is not
        USERNAME + b"\x00\x08\x00\x10" + bytes(16),  # a short integrity
        USERNAME + b"\x00\x24\xff\xff" + INTEGRITY,  # a length beyond the end
        b"\xc0\x01\x00\x00" * 40 + USERNAME + INTEGRITY,  # too many
    ],
)
def test_a_request_that_ice_would_not_send_is_none(attributes):
    assert stun.parse_request(with_attributes(attributes)) is None


def test_unknown_optional_attributes_are_passed_over():
    assert stun.parse_request(with_attributes(b"\xc0\x57\x00\x04abcd" + USERNAME + INTEGRITY))


def test_a_success_is_no_request_and_a_request_no_success():
    assert stun.parse_request(stun.write_success(TRANSACTION, ("1.2.3.4", 5), PASSWORD)) is None
    assert stun.parse_success(request()) is None


@pytest.mark.parametrize(
    "value", [b"", b"\0\1\0", b"\0\1" + bytes(18), b"\0\2" + bytes(6), b"\0\3" + bytes(6)]
)
def test_a_success_with_an_odd_address_is_none(value):
    attribute = struct.pack("!HH", 0x20, len(value)) + value + bytes(-len(value) % 4)
    assert stun.parse_success(with_attributes(attribute + INTEGRITY, kind=0x0101)) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_none(data):
    stun.parse_request(data)
    stun.parse_success(data)
    assert not stun.verify_integrity(data, PASSWORD)


@given(st.binary(max_size=120).map(lambda b: b[: len(b) // 4 * 4]))
def test_any_attributes_are_a_value_or_none(attributes):
    for kind in (0x0001, 0x0101):
        data = with_attributes(attributes, kind=kind)
        stun.parse_request(data)
        stun.parse_success(data)
        stun.verify_integrity(data, PASSWORD)


@given(st.text(min_size=1, max_size=100), st.text(max_size=64), st.integers(0, 2**32 - 1))
def test_every_name_password_and_priority_survive(username, password, priority):
    data = stun.write_request(TRANSACTION, username=username, password=password, priority=priority)
    parsed = stun.parse_request(data)
    assert parsed is not None
    assert (parsed.username, parsed.priority) == (username, priority)
    assert stun.verify_integrity(data, password)
