"""Curves over a chosen quantity (viewers, loss), as inline SVG. Pure: values in, text out."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 760, 320, 64, 40, 16
COLOURS = ("#2563eb", "#db2777", "#059669", "#d97706", "#7c3aed", "#0891b2", "#65a30d", "#dc2626")
STEPS = 5


@dataclass(frozen=True, slots=True)
class Lines:
    """Some quantities of one unit over another, each a line of points."""

    title: str
    over: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]

    def as_map(self) -> dict[str, object]:
        """Give the JSON form."""
        series = {name: [list(point) for point in points] for name, points in self.series.items()}
        return {"title": self.title, "over": self.over, "unit": self.unit, "series": series}

    def as_svg(self) -> str:
        """Draw it, with its legend."""
        drawn = {name: sorted(points) for name, points in self.series.items() if points}
        if not drawn:
            return "<p>Nothing was measured.</p>"
        every = [point for points in drawn.values() for point in points]
        right, top = round_up(max(x for x, _ in every)), round_up(max(y for _, y in every))
        parts, legend = [self._axes(right, top)], []
        for number, (name, points) in enumerate(drawn.items()):
            colour, label = COLOURS[number % len(COLOURS)], html.escape(name)
            places = [
                (
                    LEFT + x / right * (WIDTH - LEFT - 12),
                    HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP),
                )
                for x, y in points
            ]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2">'
                f"<title>{label}</title></polyline>"
            )
            dot = f'r="3" fill="{colour}"'
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" {dot}/>' for x, y in places]
            legend.append(f'<li><span style="background:{colour}"></span>{label}</li>')
        drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'
        return f"<h2>{html.escape(self.title)}</h2>{drawing}<ul>{''.join(legend)}</ul>"

    def _axes(self, right: float, top: float) -> str:
        parts = []
        for step in range(STEPS + 1):
            y = HEIGHT - BOTTOM - step / STEPS * (HEIGHT - BOTTOM - TOP)
            x = LEFT + step / STEPS * (WIDTH - LEFT - 12)
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{top * step / STEPS:,.5g}</text>"
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                f"{right * step / STEPS:,.5g}</text>"
            )
        middle = (LEFT + WIDTH) / 2
        parts.append(
            f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(self.over)}'
            f" (up: {html.escape(self.unit)})</text>"
        )
        return "".join(parts)


def round_up(value: float) -> float:
    """Find the next axis end that divides into five round steps."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * step for step in (1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10) if power * step >= value
    )
