"""Reports: arithmetic by hand, then what is sent in a scene."""

import pytest

from sfu.media.reports import Reception, SenderClock, compact, ntp_ahead, round_trip_s
from sfu.packet import rtcp
from sfu.packet.rtcp import ReportBlock


def block(*, last_report, delay):
    return ReportBlock(1, 0, 0, 0, 0, last_report, delay)


def ntp(seconds):
    return int(seconds * 2**32) & 0xFFFFFFFFFFFFFFFF


class TestRoundTrip:
    @pytest.mark.parametrize("start", [1000.0, 2**32 - 1.0, 65535.5])
    def test_it_is_what_the_clock_says_less_the_delay_across_every_wrap(self, start):
        """65,536 s wrap the compact form, 2**32 s (in 2036) the whole."""
        reported = block(last_report=compact(ntp(start)), delay=int(0.5 * 65536))
        assert round_trip_s(reported, at_ntp=ntp(start + 0.75)) == pytest.approx(0.25, abs=1e-4)

    def test_without_a_report_there_is_none(self):
        assert round_trip_s(block(last_report=0, delay=0), at_ntp=ntp(5)) is None

    def test_a_delay_rounded_up_is_a_very_short_path(self):
        reported = block(last_report=compact(ntp(10)), delay=65537)
        assert round_trip_s(reported, at_ntp=ntp(11)) == 0.0

    @pytest.mark.parametrize("last_report", [1, 0x7FFFFFFF, 0xFFFFFFFF])
    def test_a_lie_is_not_believed(self, last_report):
        reported = block(last_report=last_report, delay=0)
        assert round_trip_s(reported, at_ntp=ntp(20_000)) is None


class TestReception:
    def fed(self, numbers):
        reception = Reception()
        for number in numbers:
            reception.received(number)
        return reception

    def test_before_media_there_is_nothing_to_report(self):
        assert Reception().take_block(1, now=0.0) is None

    def test_a_quarter_lost_is_64_of_256(self):
        reception = self.fed([10, 11, 13])
        taken = reception.take_block(7, now=0.0)
        assert (taken.ssrc, taken.fraction_lost, taken.lost, taken.highest) == (7, 64, 1, 13)

    def test_the_fraction_is_of_the_interval_and_the_count_of_all(self):
        reception = self.fed([0, 2])
        reception.take_block(1, now=0.0)
        for number in (3, 4, 5, 6):
            reception.received(number)
        taken = reception.take_block(1, now=1.0)
        assert (taken.fraction_lost, taken.lost) == (0, 1)

    def test_reading_properties_starts_no_interval(self):
        reception = self.fed([0, 2, 3, 4])
        assert (reception.lost, reception.lost, reception.jitter) == (1, 1, 0.0)
        assert reception.take_block(1, now=0.0).fraction_lost == 51

    def test_late_packets_and_more_than_expected_are_never_a_negative_fraction(self):
        reception = self.fed([0, 2])
        reception.take_block(1, now=0.0)
        reception.received(1)
        taken = reception.take_block(1, now=1.0)
        assert (taken.fraction_lost, taken.lost) == (0, 0)
        reception.received(1)
        assert reception.take_block(1, now=2.0).lost == -1

    def test_all_lost_but_the_last_is_nearly_one(self):
        reception = self.fed([0, 100_000])
        reception.take_block(1, now=0.0)
        reception.received(200_000)
        assert reception.take_block(1, now=0.0).fraction_lost == 255

    def test_the_last_report_and_its_age_are_given_back(self):
        reception = self.fed([0])
        reception.reported(ntp(1234.5), 99, now=10.0)
        taken = reception.take_block(1, now=10.5)
        assert (taken.last_report, taken.delay) == (compact(ntp(1234.5)), 32768)

    def test_an_even_stream_has_no_jitter_even_across_a_wrap(self):
        reception = Reception()
        for n in range(200):
            timestamp = (2**32 - 100 * 3000 + n * 3000) & 0xFFFFFFFF
            reception.arrived(timestamp, clock_rate=90_000, now=5.0 + n / 30)
        assert reception.jitter < 0.01

    def test_jitter_follows_the_formula_of_the_rfc(self):
        reception = Reception()
        expected, before = 0.0, None
        for n, late in enumerate((0.0, 0.01, 0.0, 0.03, 0.005)):
            now = 1.0 + n * 0.02 + late
            reception.arrived(n * 960, clock_rate=48_000, now=now)
            transit = now * 48_000 - n * 960
            if before is not None:
                expected += (abs(transit - before) - expected) / 16
            before = transit
        assert reception.jitter == pytest.approx(expected)


class TestSenderClock:
    def test_the_least_delay_wins_and_a_rise_is_followed_slowly(self):
        clock = SenderClock()
        clock.reported(ntp(100), at_ntp=ntp(500.2))
        clock.reported(ntp(101), at_ntp=ntp(501.05))
        clock.reported(ntp(102), at_ntp=ntp(502.5))
        assert ntp_ahead(clock.theirs(ntp(600)), ntp(200)) / 2**32 == pytest.approx(
            -0.051, abs=1e-6
        )

    def test_it_works_across_the_wrap_of_2036(self):
        clock = SenderClock()
        clock.reported(ntp(2**32 - 1), at_ntp=ntp(1))
        assert clock.theirs(ntp(3)) == ntp(1)


class TestScene:
    def test_a_viewer_is_told_sender_reports_that_match_its_packets(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(2.0)
        reports = [part for _, part in scene.asked("ann", rtcp.SenderReport)]
        assert [report.ssrc for report in reports] == [50_000, 50_000]
        (packet,) = scene.got()
        first, second = reports
        assert first.timestamp == packet.timestamp
        assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 2 * 90_000
        assert ntp_ahead(second.ntp, first.ntp) == 2 << 32
        assert (second.packets, second.octets) == (1, len(packet.payload))

    def test_sound_and_picture_stay_in_sync_by_the_publishers_own_reports(self, scene):
        """The picture arrives 300 ms after its sound; the reports say they belong together."""
        host = scene.publish()
        scene.watch()
        theirs = 50_000.0  # the publisher's clock is its own
        scene.receive("host", host.packet("a", b"s", sequence=10, timestamp=480_000))
        sound = rtcp.write_sender_report(rtcp.SenderReport(1001, ntp(theirs), 480_000, 1, 1))
        scene.receive("host", sound, is_rtcp=True)
        scene.pass_time(0.3)
        scene.receive("host", host.packet("v", b"\x10\x00key", sequence=10, timestamp=900_000))
        picture = rtcp.write_sender_report(rtcp.SenderReport(1000, ntp(theirs), 900_000, 1, 1))
        scene.receive("host", picture, is_rtcp=True)
        scene.pass_time(4)
        last = {part.ssrc: part for _, part in scene.asked("ann", rtcp.SenderReport)}
        (video,), (audio,) = scene.got(), scene.got(ssrc=50_002)
        at = {}
        for packet, rate in ((video, 90_000), (audio, 48_000)):
            report = last[packet.ssrc]
            ahead = (packet.timestamp - report.timestamp + 2**31) % 2**32 - 2**31
            at[packet.ssrc] = report.ntp / 2**32 + ahead / rate
        assert at[50_000] == pytest.approx(at[50_002], abs=0.005)

    def test_a_report_that_contradicts_the_packets_is_not_believed(self, scene):
        host = scene.publish()
        scene.watch()
        lie = rtcp.write_sender_report(rtcp.SenderReport(1000, ntp(7), 2**31, 1, 1))
        scene.receive("host", lie, is_rtcp=True)
        host.key()
        (packet,) = scene.got()
        ((_, report),) = scene.asked("ann", rtcp.SenderReport)
        assert report.timestamp == packet.timestamp

    def test_a_stalled_stream_is_reported_no_more(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(30)
        assert len(scene.asked("ann", rtcp.SenderReport)) <= 3

    def test_a_publisher_is_told_loss_and_the_bitrate_of_the_room(self, scene):
        host = scene.publish()
        host.key()
        scene.pass_time(0)
        host.lose()
        host.send("v")
        host.send("v")
        scene.pass_time(1.0)
        _, report = [part for _, part in scene.asked(kind=rtcp.ReceiverReport) if part.blocks]
        (loss,) = report.blocks
        assert (loss.ssrc, loss.fraction_lost, loss.lost, loss.highest) == (1000, 85, 1, 13)
        assert scene.asked(kind=rtcp.Remb)[-1][1] == rtcp.Remb(1, 4_000_000, (1000,))

    def test_a_publisher_is_told_its_bitrate_with_its_first_packet(self, scene):
        host = scene.publish()
        scene.pass_time(0.5)
        host.key()
        scene.pass_time(0)
        assert scene.asked(kind=rtcp.Remb) == [(scene.now, rtcp.Remb(1, 4_000_000, (1000,)))]

    def test_a_viewers_report_becomes_its_numbers(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        ((_, report),) = scene.asked("ann", rtcp.SenderReport)
        scene.pass_time(0.5)
        answer = ReportBlock(50_000, 25, 4, 10, 900, compact(report.ntp), int(0.42 * 65536))
        data = rtcp.write_receiver_report(rtcp.ReceiverReport(1, (answer,)))
        scene.receive("ann", data + rtcp.write_remb(1, 900_000, [50_000]), is_rtcp=True)
        stats = scene.engine.session_stats("ann")
        assert stats.rtt_s == pytest.approx(0.08, abs=1e-3)
        assert stats.remb_bps == pytest.approx(900_000, rel=1e-4)
        leg = stats.legs[0]
        assert (leg.lost, leg.fraction_lost, leg.jitter_s) == (4, 25 / 256, 0.01)

    def test_every_compound_begins_with_a_report_and_names_its_source(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.lose()
        host.send("v")
        scene.pass_time(3)
        for session in ("host", "ann"):
            for _, parts in scene.reports[session]:
                assert isinstance(parts[0], rtcp.SenderReport | rtcp.ReceiverReport)
                assert any(isinstance(part, rtcp.SourceDescription) for part in parts)


class TestWhenReportsAreDue:
    def test_viewers_to_whom_nothing_flows_wake_nobody(self, scene):
        for number in range(5):
            scene.watch(f"viewer-{number}", ssrc=50_000 + 100 * number)
        scene.pass_time(5.0)
        assert scene.engine.deadline() is None

    def test_reports_begin_with_the_stream_and_many_are_due_at_once(self, scene):
        for number in range(5):
            scene.watch(f"viewer-{number}", ssrc=50_000 + 100 * number)
            scene.pass_time(0.013)
        host = scene.publish()
        host.key()
        first = scene.now
        scene.pass_time(4.5)
        moments = {
            at
            for number in range(5)
            for at, parts in scene.reports[f"viewer-{number}"]
            if any(isinstance(part, rtcp.SenderReport) for part in parts)
        }
        assert min(moments) == first
        assert len(moments) <= 3
