"""A measurement's outcome in three forms: a table on the terminal, JSON, and one HTML file.

The HTML holds its plots as inline SVG, so it opens anywhere without network. Pure but for
`save`: values in, text out.
"""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.lines import COLOURS, Lines, round_up

PERCENTILES = (50, 90, 95, 99, 100)
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 320, 56, 40, 16


@dataclass(frozen=True, slots=True)
class Distribution:
    """One measured quantity: its name, unit and values."""

    name: str
    unit: str
    values: tuple[float, ...]

    def percentiles(self) -> dict[str, float]:
        """Give the percentiles by name; empty without values."""
        if not self.values:
            return {}
        cut = np.percentile(np.array(self.values), PERCENTILES)
        return {f"p{p}": round(float(v), 3) for p, v in zip(PERCENTILES, cut, strict=True)}


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run found out."""

    name: str
    title: str
    facts: Mapping[str, str]
    figures: Mapping[str, float | int | None]
    distributions: Sequence[Distribution]
    failures: Mapping[str, int] = field(default_factory=dict)
    curve: str = "Share of viewers that had reached a step"
    lines: Sequence[Lines] = ()

    def as_map(self) -> dict[str, object]:
        """Give the JSON form."""
        return {
            "name": self.name,
            "title": self.title,
            "facts": dict(self.facts),
            "figures": dict(self.figures),
            "failures": dict(self.failures),
            "lines": [one.as_map() for one in self.lines],
            "distributions": [
                {
                    "name": one.name,
                    "unit": one.unit,
                    "count": len(one.values),
                    **one.percentiles(),
                    "values": [round(value, 4) for value in one.values],
                }
                for one in self.distributions
            ],
        }

    def show(self, console: Console) -> None:
        """Print the tables."""
        steps = Table(title=self.title, title_justify="left")
        steps.add_column("step")
        for name in ("n", *(f"p{p}" for p in PERCENTILES)):
            steps.add_column(name, justify="right")
        for one in self.distributions:
            cells = [f"{value:,.1f}" for value in one.percentiles().values()]
            steps.add_row(f"{one.name}, {one.unit}", str(len(one.values)), *cells)
        console.print(steps)
        rest = Table(show_header=False)
        for name, value in self.figures.items():
            rest.add_row(name, _figure(value))
        for reason, count in self.failures.items():
            rest.add_row(f"failed: {reason}", str(count))
        console.print(rest)

    def save(self, json_file: Path | None, html_file: Path | None) -> None:
        """Write the files that were asked for."""
        if json_file is not None:
            text = json.dumps(self.as_map(), indent=1, ensure_ascii=False)
            json_file.write_text(text + "\n", encoding="utf-8")
        if html_file is not None:
            html_file.write_text(self.as_html(), encoding="utf-8")

    def as_html(self) -> str:
        """Give the page."""
        rows = "".join(
            f"<tr><td>{html.escape(one.name)}, {one.unit}</td><td>{len(one.values)}</td>"
            + "".join(f"<td>{value:,.1f}</td>" for value in one.percentiles().values())
            + "</tr>"
            for one in self.distributions
        )
        heads = "".join(f"<th>p{p}</th>" for p in PERCENTILES)
        figures = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{_figure(value)}</td></tr>"
            for name, value in self.figures.items()
        )
        failed = "".join(
            f"<tr><td>failed: {html.escape(reason)}</td><td>{count}</td></tr>"
            for reason, count in self.failures.items()
        )
        facts = " · ".join(f"{html.escape(k)} {html.escape(v)}" for k, v in self.facts.items())
        return _PAGE.format(
            title=html.escape(self.title),
            facts=facts,
            curve=html.escape(self.curve),
            plot=curves(self.distributions),
            heads=heads,
            rows=rows,
            figures=figures + failed,
            lines="".join(one.as_svg() for one in self.lines),
        )


def curves(distributions: Sequence[Distribution]) -> str:
    """Draw cumulative curves of all distributions that share the first one's unit."""
    drawn = [one for one in distributions if one.values and one.unit == distributions[0].unit]
    if not drawn:
        return "<p>Nothing was measured.</p>"
    top = round_up(max(max(one.values) for one in drawn))
    legend: list[str] = []
    scale_x, scale_y = (WIDTH - LEFT - 12) / top, HEIGHT - BOTTOM - TOP
    parts = [_grid(top, drawn[0].unit)]
    for number, one in enumerate(drawn):
        colour = COLOURS[number % len(COLOURS)]
        values = sorted(one.values)
        points = [f"{LEFT + values[0] * scale_x:.1f},{HEIGHT - BOTTOM}"]
        for rank, value in enumerate(values, start=1):
            y = HEIGHT - BOTTOM - rank / len(values) * scale_y
            points.append(f"{LEFT + value * scale_x:.1f},{y:.1f}")
        parts.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="2"><title>{html.escape(one.name)}</title></polyline>'
        )
        legend.append(f'<li><span style="background:{colour}"></span>{html.escape(one.name)}</li>')
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
    return f"{drawing}<ul>{''.join(legend)}</ul>"


def _figure(value: float | None) -> str:
    """Write a figure with as many digits as it deserves."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _grid(top: float, unit: str) -> str:
    lines = []
    for share in (0, 0.25, 0.5, 0.75, 0.95, 1):
        y = HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        lines.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        )
    for step in range(6):
        x = LEFT + step / 5 * (WIDTH - LEFT - 12)
        lines.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
            f"{top * step / 5:,.5g}</text>"
        )
    middle = (LEFT + WIDTH) / 2
    lines.append(
        f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(unit)}</text>'
    )
    return "".join(lines)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
 :root {{ color-scheme: light dark; }}
 body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 800px; margin: auto; padding: 2rem; }}
 table {{ border-collapse: collapse; margin: 1rem 0; }}
 td, th {{ padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #8884; }}
 td:first-child, th:first-child {{ text-align: left; }}
 svg {{ width: 100%; height: auto; }} svg text {{ font-size: 12px; fill: currentColor; }}
 ul {{ list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; }}
 li span {{ display: inline-block; width: .8em; height: .8em; margin-right: .4em; }}
 .grid {{ stroke: #8884; }} .facts {{ opacity: .75; }}
</style>
<h1>{title}</h1>
<p class="facts">{facts}</p>
<h2>{curve}</h2>
{plot}
{lines}
<table><tr><th>step</th><th>n</th>{heads}</tr>{rows}</table>
<table>{figures}</table>
</html>
"""
