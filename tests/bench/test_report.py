"""Reports: percentiles are right, JSON is complete, HTML is one safe file."""

import json
import re
from pathlib import Path

import pytest

from bench.lines import Lines
from bench.report import Distribution, Report, curves


def _report(values: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0)) -> Report:
    return Report(
        name="join",
        title="4 viewers <b>",
        facts={"cpu": "a & b"},
        figures={"share": 0.5, "unknown": None},
        distributions=[Distribution("first packet", "ms", values)],
        failures={"dtls: timeout": 2},
    )


def test_percentiles_lie_between_the_extremes() -> None:
    found = Distribution("x", "ms", tuple(float(n) for n in range(1, 101))).percentiles()

    assert found == {"p50": 50.5, "p90": 90.1, "p95": 95.05, "p99": 99.01, "p100": 100.0}


def test_nothing_measured_has_no_percentiles_and_no_curve() -> None:
    assert Distribution("x", "ms", ()).percentiles() == {}
    assert "<svg" not in curves([Distribution("x", "ms", ())])


def test_json_and_html_hold_everything(tmp_path: Path) -> None:
    _report().save(tmp_path / "r.json", tmp_path / "r.html")

    found = json.loads((tmp_path / "r.json").read_text())
    page = (tmp_path / "r.html").read_text()
    assert found["distributions"][0]["values"] == [1.0, 2.0, 3.0, 4.0]
    assert found["failures"] == {"dtls: timeout": 2}
    assert "4 viewers &lt;b&gt;" in page
    assert "a &amp; b" in page
    assert not re.search(r"(src|href)=", page)


@pytest.mark.parametrize("top", [0.001, 0.7, 9.99, 10.0, 416.0, 12_345.0])
def test_every_point_of_a_curve_is_inside_its_frame(top: float) -> None:
    drawing = curves([Distribution("x", "ms", (top / 3, top / 2, top))])

    points = re.search(r'points="([^"]+)"', drawing)
    assert points is not None
    for point in points[1].split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= 760
        assert 0 <= y <= 320


def test_lines_are_drawn_one_a_series_with_their_points() -> None:
    lines = Lines("Cost", "viewers", "µs", {"ours": [(100, 2.0), (50, 3.0)], "none": []})

    drawn = lines.as_svg()

    assert drawn.count("<polyline") == 1
    assert drawn.count("<circle") == 2
    assert "ours" in drawn
    assert lines.as_map()["series"] == {"ours": [[100, 2.0], [50, 3.0]], "none": []}


def test_without_points_a_sentence_says_so() -> None:
    assert "Nothing was measured" in Lines("Cost", "viewers", "µs", {}).as_svg()
