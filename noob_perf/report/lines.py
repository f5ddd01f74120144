"""Small charts of time over size, both logarithmic: a line an implementation, named at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from noob_perf.report import units
from noob_perf.report.charts import Dot, LogScale, Tick

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE_HEIGHT = 14.0
"""Names are at least so far from each other."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one implementation took, by size."""

    name: str
    points: tuple[tuple[int, float], ...]
    """Size and seconds, in the order of the sizes."""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A series as positions."""

    name: str
    path: str
    """As SVG's points are written."""
    dots: tuple[Dot, ...]
    end: Dot
    """Where its last point is, labelled with its value."""
    label_y: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """All of an operation's series."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[DrawnLine]


def line_chart(series: Sequence[Series]) -> LineChart | None:
    """Lay out series; None if there is nothing in them."""
    series = [one for one in series if one.points]
    if not series:
        return None
    names = sorted(series, key=lambda one: one.points[-1][1])
    height = max(250.0, 60.0 + _LINE_HEIGHT * len(names))
    width, left, right, top, bottom = 560.0, 62.0, 370.0, 14.0, height - 40
    x = LogScale([size for one in series for size, _ in one.points], left, right, _size)
    y = LogScale([s for one in series for _, s in one.points], bottom, top, units.tick)
    heights = _spread([y(one.points[-1][1]) for one in names], top, bottom)
    label_y = dict(zip((one.name for one in names), heights, strict=True))
    lines = [_draw(one, x, y, label_y[one.name]) for one in series]
    return LineChart(
        width, height, left, right, top, bottom, x.ticks(), y.ticks(), lines
    )  # fmt: skip


def _draw(one: Series, x: LogScale, y: LogScale, label_y: float) -> DrawnLine:
    dots = tuple(Dot(x(size), y(s), f"{size:,}: {units.seconds(s)}") for size, s in one.points)
    end = Dot(dots[-1].x, dots[-1].y, units.seconds(one.points[-1][1]))
    return DrawnLine(one.name, " ".join(f"{d.x},{d.y}" for d in dots), dots, end, label_y)


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Move heights, which fall, apart from each other, and keep them in the chart."""
    found: list[float] = []
    for height in wanted:
        found.append(min(height, found[-1] - _LINE_HEIGHT) if found else min(height, bottom))
    if found and found[-1] < top:  # too far up: move the others down instead
        found[-1] = top
        for at in range(len(found) - 2, -1, -1):
            found[at] = max(found[at], found[at + 1] + _LINE_HEIGHT)
    return [round(height, 1) for height in found]


def _size(value: float) -> str:
    for factor, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= factor * (1 - 1e-9):
            return f"{value / factor:g}{unit}"
    return f"{value:g}"
