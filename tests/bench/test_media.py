"""The media bench: the whole run works, and the arithmetic under its figures is right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.bare import bursts
from bench.generator import FRAGMENT_BYTES, KEYFRAME_EVERY, fragments
from bench.media import quantiles
from sfu.packet.payload import keyframe_detector


@pytest.mark.slow
@pytest.mark.parametrize("fanout", ["best", "python"])
def test_three_viewers_are_delivered_to_and_every_figure_is_there(
    tmp_path: Path, fanout: str
) -> None:
    json_file, html_file = tmp_path / "media.json", tmp_path / "media.html"

    done = CliRunner().invoke(
        app,
        [
            *("media", "--viewers", "3", "--pps", "200", "--seconds", "2", "--fanout", fanout),
            *("--json", str(json_file), "--html", str(html_file)),
        ],
    )

    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    assert found["failures"] == {}
    figures = found["figures"]
    assert figures["viewers in"] == 3
    assert figures["packets a second and viewer"] == pytest.approx(200, rel=0.25)
    assert figures["packets per kernel call"] > 1.5
    assert figures["server, µs CPU per delivered packet"] > 0
    assert figures["bare sendto, µs CPU per packet"] > 0
    assert found["distributions"][0]["p50"] > 0
    assert "<svg" in html_file.read_text()
    assert "Share of batches forwarded within" in html_file.read_text()
    assert "CPU per delivered packet" in html_file.read_text()


@pytest.mark.slow
@pytest.mark.peers
def test_janus_forwards_the_same_in_the_same_run(tmp_path: Path) -> None:
    json_file = tmp_path / "media.json"
    command = ["media", "--viewers", "2", "--pps", "200", "--seconds", "1"]

    done = subprocess.run(
        [sys.executable, "-m", "bench", *command, "--peer", "janus", "--json", str(json_file)],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(json_file.read_text())
    assert found["figures"]["viewers in"] == 2
    assert found["figures"]["Janus, µs CPU per delivered packet"] > 0
    by_viewers = found["lines"][0]["series"]
    assert [[x for x, _ in points] for points in by_viewers.values()] == [[2]] * 4


@pytest.mark.parametrize(
    "arguments",
    [["--viewers", "0"], ["--pps", "1"], ["--fanout", "other"], ["--peer", "other"]],
)
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["media", *arguments]).exit_code == 2


def test_what_arrives_within_a_millisecond_is_one_burst() -> None:
    arrivals = [(5.0, 1200), (5.0002, 1200), (5.0004, 300), (5.02, 130), (5.0333, 1200)]

    found = bursts(arrivals)

    assert [sizes for _, sizes in found] == [(1200, 1200, 300), (130,), (1200,)]
    assert [round(at, 4) for at, _ in found] == [0, 0.02, 0.0333]


def test_quantiles_lie_within_their_buckets() -> None:
    buckets = {0.001: 50.0, 0.002: 99.0, 0.01: 100.0, float("inf"): 100.0}

    found = quantiles(buckets, 100)

    assert sum(value <= 0.001 for value in found) == 50
    assert sum(value <= 0.002 for value in found) == 99
    assert found[-1] <= 0.01
    assert list(found) == sorted(found)


def test_without_a_single_batch_there_are_no_quantiles() -> None:
    assert quantiles({0.001: 0.0, float("inf"): 0.0}) == ()


def test_generated_frames_are_whole_fragments_and_a_short_last_one() -> None:
    frame = fragments(1, 5)

    assert [len(one) for one in frame[:-1]] == [FRAGMENT_BYTES] * 4
    assert len(frame[-1]) < FRAGMENT_BYTES


def test_a_forwarder_sees_a_key_frame_where_the_generator_means_one() -> None:
    starts = keyframe_detector("vp8")
    assert starts is not None

    seen = [
        (number, at)
        for number in range(2 * KEYFRAME_EVERY)
        for at, payload in enumerate(fragments(number, 3))
        if starts(payload)
    ]

    assert seen == [(0, 0), (KEYFRAME_EVERY, 0)]
