"""How the nodes of a workload depend on each other: every pattern by its name.

The patterns named `trivial` to `random_nearest` are those of Task Bench (E. Slaughter, W. Wu,
Y. Fu et al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance",
SC20), with the dependencies that its reference implementation gives them: steps of `width`
points, where a point depends on points of the step before. `fan_in` is its radix, `density` its
fraction of connected dependencies. The number of nodes decides how many steps there are, and the
last one may be incomplete. All are computed by whole arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from noob_workloads.errors import InvalidWorkloadError
from noob_workloads.graph import MAX_EDGES, Graph
from noob_workloads.wfformat import from_wfformat
from noob_workloads.workflows import RECIPES, generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from noob_workloads.workload import Workload

    Ints = NDArray[np.int64]

_SPREAD_PERIOD = 3
"""Steps after which `spread` repeats itself: Task Bench's default period."""
_FRACTION = 0.25
"""Task Bench's default fraction of connected dependencies."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A way to make a graph, and what it looks like in one line."""

    build: Callable[[Workload], Graph]
    description: str


class _Steps(NamedTuple):
    """Where each node is: its step, its point in it, and what the step before holds.

    Points of the step before are `first` to `last`, and `base + point` is such a point's node.
    In step 0 there is none: `last` is smaller than `first`.
    """

    step: Ints
    point: Ints
    first: Ints
    last: Ints
    base: Ints


def _steps(nodes: int, widths: Ints, offsets: Ints | None = None) -> _Steps:
    """Lay nodes out in steps of the given widths, whose points begin at the given offsets."""
    offsets = np.zeros_like(widths) if offsets is None else offsets
    starts = np.cumsum(widths) - widths
    step = np.searchsorted(np.cumsum(widths), np.arange(nodes), side="right")
    before = np.maximum(step - 1, 0)
    first = offsets[before]
    return _Steps(
        step=step,
        point=np.arange(nodes) - starts[step] + offsets[step],
        first=first,
        last=np.where(step > 0, first + widths[before] - 1, -1),
        base=starts[before] - first,
    )


def _even(workload: Workload) -> _Steps:
    """Steps that are all `width` wide."""
    count = -(-workload.nodes // workload.width)
    return _steps(workload.nodes, np.full(count, workload.width))


def _graph(counts: Ints, indices: NDArray[np.integer]) -> Graph:
    return Graph(np.concatenate(([0], np.cumsum(counts))), indices.astype(np.int32, copy=False))


def _intervals(low: Ints, high: Ints) -> Graph:
    """Each node depends on all nodes from `low` to `high`, both included; on none if they cross."""
    counts = np.maximum(high - low + 1, 0)
    edges = int(counts.sum())
    if edges > MAX_EDGES:
        msg = f"{low.size} nodes would have {edges} edges, more than {MAX_EDGES}: reduce width"
        raise InvalidWorkloadError(msg)
    # The edges of a node are consecutive numbers: count through them all, then shift each row.
    indices = np.arange(edges, dtype=np.int32)
    indices += np.repeat((low - (np.cumsum(counts) - counts)).astype(np.int32), counts)
    return _graph(counts, indices)


def _near(steps: _Steps, low: Ints, high: Ints) -> Graph:
    """Each node depends on the points from `low` to `high` of the step before, if it has them."""
    return _intervals(
        steps.base + np.maximum(low, steps.first), steps.base + np.minimum(high, steps.last)
    )


def _choices(chosen: Ints) -> Graph:
    """Each node depends on the nodes in its row of int64[nodes, k]; negative ones are no nodes."""
    chosen.sort(axis=1)
    keep = chosen >= 0
    keep[:, 1:] &= chosen[:, 1:] != chosen[:, :-1]
    return _graph(keep.sum(axis=1), chosen[keep])


def _points(steps: _Steps, points: Ints) -> Graph:
    """Each node depends on the points in its row, as far as the step before has them."""
    inside = (points >= steps.first[:, None]) & (points <= steps.last[:, None])
    return _choices(np.where(inside, points + steps.base[:, None], -1))


def trivial(workload: Workload) -> Graph:
    """No node depends on any other."""
    return _graph(np.zeros(workload.nodes, dtype=np.int64), np.empty(0, dtype=np.int32))


def no_comm(workload: Workload) -> Graph:
    """A point depends on itself one step before: `width` separate chains."""
    steps = _even(workload)
    return _near(steps, steps.point, steps.point)


def stencil_1d(workload: Workload) -> Graph:
    """A point depends on itself and its two neighbours."""
    steps = _even(workload)
    return _near(steps, steps.point - 1, steps.point + 1)


def stencil_1d_periodic(workload: Workload) -> Graph:
    """As `stencil_1d`, with the first and the last point neighbours."""
    steps = _even(workload)
    around = steps.point[:, None] + np.array([-1, 0, 1])
    return _points(steps, around % workload.width)


def dom(workload: Workload) -> Graph:
    """A sweep over a triangle of steps, widening and narrowing: a point and its left neighbour."""
    # Task Bench gives the steps and gets the nodes; here it is the other way round. The widest
    # step is limited so that the sweep can both open and close.
    width = min(workload.width, math.isqrt(workload.nodes))
    count = width - 1 + -(-workload.nodes // width)
    step = np.arange(count)
    widths = np.minimum(np.minimum(step + 1, count - step), width)
    steps = _steps(workload.nodes, widths, np.maximum(step + width - count, 0))
    return _near(steps, steps.point - 1, steps.point)


def tree(workload: Workload) -> Graph:
    """A binary tree that doubles each step up to `width`; then a point depends on its half."""
    widths: list[int] = []
    left = workload.nodes
    while left > 0 and (not widths or widths[-1] < workload.width):
        widths.append(min(2 ** len(widths), workload.width))
        left -= widths[-1]
    widths += [workload.width] * -(-max(left, 0) // workload.width)
    steps = _steps(workload.nodes, np.array(widths))
    return _near(steps, steps.point // 2, steps.point // 2)


def fft(workload: Workload) -> Graph:
    """A butterfly: a point, and those a power of two away that doubles every step."""
    steps = _even(workload)
    period = max((workload.width - 1).bit_length(), 1)
    distance = 1 << (steps.step + period - 1) % period
    return _points(steps, steps.point[:, None] + distance[:, None] * np.array([-1, 0, 1]))


def all_to_all(workload: Workload) -> Graph:
    """A point depends on every point of the step before."""
    steps = _even(workload)
    return _near(steps, steps.first, steps.last)


def nearest(workload: Workload) -> Graph:
    """A point depends on the `fan_in` points nearest to it, fewer at the borders."""
    steps = _even(workload)
    radix = workload.fan_in
    return _near(steps, steps.point - radix // 2, steps.point + (radix - 1) // 2)


def spread(workload: Workload) -> Graph:
    """A point depends on `fan_in` points spread over the width, which move every step."""
    steps = _even(workload)
    each = np.arange(min(workload.fan_in, workload.width))
    moved = (steps.step % _SPREAD_PERIOD)[:, None] * (each > 0)
    points = steps.point[:, None] + each * workload.width // each.size + moved
    return _points(steps, points % workload.width)


def random_nearest(workload: Workload) -> Graph:
    """A point depends on itself and, by the chance `density` (0.25), on each of its nearest.

    Task Bench draws anew for a few steps and then repeats; here every step is drawn anew.
    """
    steps = _even(workload)
    radix = min(workload.fan_in, 2 * workload.width)
    shifts = np.arange(radix) - radix // 2
    chance = _FRACTION if workload.density is None else workload.density
    rng = np.random.default_rng(workload.seed)
    drawn = (rng.random((workload.nodes, radix)) < chance) | (shifts == 0)
    return _points(steps, np.where(drawn, steps.point[:, None] + shifts, -1))


def chain(workload: Workload) -> Graph:
    """Each node depends on the one before it."""
    before = np.arange(workload.nodes) - 1
    return _intervals(np.maximum(before, 0), before)


def fan_out_in(workload: Workload) -> Graph:
    """One node, `width` nodes that depend on it, one that depends on them all, and so on."""
    node = np.arange(workload.nodes)
    place = node % (workload.width + 1)
    hub = place == 0
    low = np.where(hub, np.maximum(node - workload.width, 0), node - place)
    return _intervals(low, np.where(hub, node - 1, node - place))


def random_layered(workload: Workload) -> Graph:
    """A node depends on nodes drawn at random from the `jump` layers before its own.

    Every layer has `width` nodes. Without `density` a node draws `fan_in` different nodes, or
    takes all where there are no more. With it, each node within reach is one by that chance, and
    a node that would get none draws one.
    """
    start = np.arange(workload.nodes) // workload.width * workload.width
    low = np.maximum(start - workload.jump * workload.width, 0)
    rng = np.random.default_rng(workload.seed)
    if workload.density is not None:
        return _each_by_chance(rng, low, start - low, workload.density)
    return _choices(_some_of(rng, low, start - low, workload.fan_in))


def _some_of(rng: np.random.Generator, low: Ints, size: Ints, count: int) -> Ints:
    """For each row `count` different numbers from `low` to `low + size - 1`, or all, then -1.

    This is Floyd's algorithm (J. Bentley, "Programming Pearls: A Sample of Brilliance",
    Communications of the ACM 30(9), 1987) on all rows at a time: the draw for the c-th number may
    reach one further than the one before, and a number drawn twice is replaced by that furthest
    one, which cannot have been drawn yet.
    """
    count = min(count, int(size.max(initial=0)))
    taken = np.minimum(size, count)
    chosen = np.full((low.size, count), -1)
    for column in range(count):
        furthest = size - taken + column
        draw = (rng.random(low.size) * (furthest + 1)).astype(np.int64)
        again = (chosen[:, :column] == draw[:, None]).any(axis=1)
        picked = np.where(again, furthest, draw)
        chosen[:, column] = np.where(column < taken, picked, -1)
    return np.where(chosen >= 0, chosen + low[:, None], -1)


def _each_by_chance(rng: np.random.Generator, low: Ints, size: Ints, chance: float) -> Graph:
    """Each number from `low` to `low + size - 1` is in a row by the given chance, at least one is.

    Possible edges are counted through in a line, and the distance to the next edge is drawn from
    the geometric distribution (V. Batagelj and U. Brandes, "Efficient generation of large random
    networks", Physical Review E 71, 2005), so that the time depends on the edges there are.
    """
    starts = np.cumsum(size) - size
    total = int(size.sum())
    expected = total * chance
    if expected > MAX_EDGES:
        msg = f"about {expected:.0f} edges, more than {MAX_EDGES}: reduce density, width or jump"
        raise InvalidWorkloadError(msg)
    found: list[Ints] = []
    place = -1
    while place < total:
        draws = rng.random(int((total - place) * chance) + 16)
        with np.errstate(divide="ignore", over="ignore"):  # a chance of 1, or of next to 0
            skipped = np.minimum(np.log1p(-draws) / np.log1p(-chance), total)
        places = place + np.cumsum(skipped.astype(np.int64) + 1)
        found.append(places)
        place = int(places[-1])
    places = np.concatenate(found)
    places = places[places < total]
    rows = np.searchsorted(starts, places, side="right") - 1
    without = np.flatnonzero((size > 0) & (np.bincount(rows, minlength=size.size) == 0))
    one = (rng.random(without.size) * size[without]).astype(np.int64) + starts[without]
    places = np.sort(np.concatenate((places, one)))
    rows = np.searchsorted(starts, places, side="right") - 1
    return _graph(np.bincount(rows, minlength=size.size), places - starts[rows] + low[rows])


def _wfformat(workload: Workload) -> Graph:
    assert workload.source is not None  # a workload of this pattern has refused to be without
    return from_wfformat(workload.source)


PATTERNS: dict[str, Pattern] = {
    "random_layered": Pattern(
        random_layered, "layers of width; fan_in (or density) edges from up to jump layers back"
    ),
    "trivial": Pattern(trivial, "no dependencies at all"),
    "no_comm": Pattern(no_comm, "width separate chains"),
    "stencil_1d": Pattern(stencil_1d, "a point and its two neighbours"),
    "stencil_1d_periodic": Pattern(stencil_1d_periodic, "a stencil on a ring"),
    "dom": Pattern(dom, "a wavefront that opens and closes: a point and its left neighbour"),
    "tree": Pattern(tree, "a binary tree that grows to width"),
    "fft": Pattern(fft, "a butterfly whose reach doubles every step"),
    "all_to_all": Pattern(all_to_all, "every point of the step before"),
    "nearest": Pattern(nearest, "the fan_in nearest points"),
    "spread": Pattern(spread, "fan_in points spread over the width"),
    "random_nearest": Pattern(random_nearest, "each of the fan_in nearest by chance (density)"),
    "chain": Pattern(chain, "one after the other"),
    "fan_out_in": Pattern(fan_out_in, "one to width and back to one, again and again"),
    **{
        name: Pattern(generate, f"{recipe.description}; at least {recipe.least} nodes (wfcommons)")
        for name, recipe in RECIPES.items()
    },
    "wfformat": Pattern(_wfformat, "any workflow in the WfFormat, from the file source"),
}
"""Every pattern by its name, the default one first."""
