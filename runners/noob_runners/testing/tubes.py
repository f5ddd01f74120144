"""Random tubes that NOOB can load: a Hypothesis strategy over directed graphs of all its features.

A tube is grown node by node. Each node takes its slots from the signals that are there already, so
that there is no cycle, and only from signals under one chain of maps, which NOOB demands. The nodes
are then listed in any order. Where the order of calls that no dependency decides would show in the
result, there is nothing to compare: an asset has one user, and one node at most raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from noob_runners.testing.spec import Case, Spec, asset, given, nested, node, tube

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

_Params = st.SearchStrategy[dict[str, Any]]
_SMALL = st.integers(0, 9)
_LIMIT = st.none() | st.integers(0, 4)


def _options(**strategies: SearchStrategy[Any]) -> _Params:
    return st.fixed_dictionaries({}, optional=strategies)


@dataclass(frozen=True)
class _Kind:
    """A kind of node and how it may be wired."""

    type: str
    signals: tuple[str, ...] = ("value",)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    positional: tuple[int, int] = (0, 0)
    """Least and greatest number of positional slots."""
    params: _Params = field(default_factory=lambda: st.just({}))
    lists: bool = False
    """Whether its signals are lists, which a map can take."""


_SOURCES = [
    _Kind("nodes.count", params=_options(start=_SMALL, limit=_LIMIT)),
    _Kind("nodes.constant", params=_options(value=_SMALL)),
    _Kind("nodes.sometimes", params=_options(every=st.integers(1, 3), start=_SMALL)),
    _Kind("nodes.sparse_none"),
    _Kind("nodes.unannotated"),
    _Kind("nodes.stamp_alone"),
    _Kind("nodes.pairs", ("left", "right")),
    _Kind("nodes.turns", ("left", "right")),
    _Kind("classes.Ticker", ("tick",), params=_options(limit=_LIMIT)),
    _Kind("classes.PlainCounter", ("tick",), params=_options(limit=_LIMIT)),
    _Kind(
        "nodes.lists",
        params=_options(lengths=st.lists(st.integers(0, 3), min_size=1, max_size=3)),
        lists=True,
    ),
    _Kind("nodes.tables", lists=True),
]

_INNER = [
    _Kind("nodes.mix", positional=(1, 4)),
    _Kind("nodes.mix", positional=(0, 2), required=("x", "y")),
    _Kind("nodes.async_mix", required=("x",), optional=("y",)),
    _Kind("nodes.optional", optional=("first", "second", "third")),
    _Kind("nodes.half_optional", required=("value",), optional=("extra",)),
    _Kind("nodes.keywords", required=("value",), optional=("a", "b")),
    _Kind("nodes.sieve", positional=(1, 1), params=_options(modulus=st.integers(1, 4))),
    _Kind("nodes.split", ("low", "high"), positional=(1, 1)),
    _Kind("nodes.route", ("even", "odd"), required=("value",)),
    _Kind("nodes.named", ("wrapped",), positional=(1, 1)),
    _Kind("nodes.nothing", positional=(1, 1)),
    _Kind("nodes.stamp", positional=(1, 1)),
    _Kind("nodes.trace", optional=("first", "x", "y")),
    _Kind("classes.Scale", ("scaled",), positional=(1, 1), params=_options(factor=_SMALL)),
    _Kind("classes.Tally", ("total", "seen"), required=("value",)),
    _Kind("classes.Plain", required=("value",), optional=("extra",)),
    _Kind("classes.Decorated", ("values",), required=("value",)),
    _Kind("classes.Envelope", required=("value",)),
    _Kind("classes.Envelopes", ("first", "second"), positional=(1, 1)),
    _Kind("classes.Fan", ("p", "q"), positional=(1, 1), params=st.just({"names": ["p", "q"]})),
    _Kind("classes.AsyncPlain", required=("value",)),
    _Kind("classes.AsyncTally", ("total",), required=("value",)),
    _Kind("nodes.listed", positional=(1, 1), lists=True),
    _Kind("nodes.tabled", positional=(1, 1), lists=True),
    _Kind("gather", required=("value",), params=_options(n=st.integers(1, 3)), lists=True),
    _Kind("gather", required=("value", "trigger"), lists=True),
]

_REFUSING = _Kind(
    "nodes.refuse",
    required=("value",),
    params=st.fixed_dictionaries({"modulus": st.integers(3, 9), "remainder": st.integers(1, 2)}),
)


@dataclass(frozen=True)
class _Signal:
    name: str
    maps: frozenset[str]
    """The maps that its node is under."""
    lists: bool = False
    size: bool = False
    """Whether it says how many values its map emits."""


def _any(_: _Signal) -> bool:
    return True


class _Garden:
    """A tube while it grows."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.nodes: dict[str, Spec] = {}
        self.assets: dict[str, Spec] = {}
        self.inputs: dict[str, Spec] = {}
        self.signals: list[_Signal] = []
        self.above: dict[str, frozenset[str]] = {}
        """For each map the maps above it."""

    def find(self, under: frozenset[str], fits: Callable[[_Signal], bool] = _any) -> _Signal | None:
        """A signal that may go where signals under these maps go, if there is one."""
        able = [s for s in self.signals if fits(s) and self._one_chain(under | s.maps)]
        return self.draw(st.sampled_from(able)) if able else None

    def pick(self, *slots: str) -> tuple[dict[str, Any], frozenset[str]]:
        """A signal for each slot, and the maps that a node of these slots is under."""
        under: frozenset[str] = frozenset()
        wired: dict[str, Any] = {}
        for slot in slots:
            signal = self.find(under)
            assert signal is not None, "sources come first, and are under no map"
            under |= signal.maps
            wired[slot] = signal.name
        return wired, under

    def _one_chain(self, maps: frozenset[str]) -> bool:
        return all(a in self.above[b] or b in self.above[a] for a, b in combinations(maps, 2))

    def grow(self, kind: _Kind, extra: Mapping[str, str] | None = None) -> str:
        """Add a node of a kind, wired at random; ``extra`` slots are given."""
        ordinals = [str(at) for at in range(self.draw(st.integers(*kind.positional)))]
        chosen = [slot for slot in kind.optional if self.draw(st.booleans())]
        wired, under = self.pick(*ordinals, *kind.required, *chosen)
        positional = [wired.pop(at) for at in ordinals]
        params = self.draw(kind.params) or None
        spec = node(kind.type, *positional, params=params, **wired, **(extra or {}))
        return self.plant(spec, kind.signals, under, lists=kind.lists)

    def plant(
        self, spec: Spec, signals: tuple[str, ...], under: frozenset[str], *, lists: bool = False
    ) -> str:
        """Add a node and offer its signals."""
        name = f"n{len(self.nodes)}"
        self.nodes[name] = spec
        self.signals += [_Signal(f"{name}.{signal}", under, lists) for signal in signals]
        return name

    def map(self) -> None:
        """Add a map of some list."""
        source = self.find(frozenset(), lambda s: s.lists)
        if source is None:
            return
        name = f"n{len(self.nodes)}"
        self.nodes[name] = node("map", value=source.name)
        self.above[name] = source.maps
        under = source.maps | {name}
        nested_lists = "tab" in self.nodes[source.name.split(".")[0]]["type"]
        self.signals += [
            _Signal(f"{name}.value", under, lists=nested_lists),
            _Signal(f"{name}.n", under, size=True),
        ]

    def gather_all(self) -> None:
        """Add a gather whose number comes from a map."""
        size = self.find(frozenset(), lambda s: s.size)
        if size is None:
            return
        value = self.find(size.maps, lambda s: s.maps >= size.maps)
        if value is not None:
            spec = node("gather", value=value.name, n=size.name)
            self.plant(spec, ("value",), size.maps | value.maps, lists=True)

    def use_asset(self) -> None:
        """Add an asset of any kind and scope, and its user."""
        name = f"box{len(self.assets)}"
        scope = self.draw(st.sampled_from(["runner", "process", "node"]))
        kind = self.draw(st.sampled_from(["Box", "make_box", "opened_box"]))
        slots, under = self.pick("value")
        user = self.plant(node("nodes.bump", box=f"assets.{name}", **slots), ("count",), under)
        depends = scope == "runner" and self.draw(st.booleans())
        self.assets[name] = asset(kind, scope, {"label": name}, f"{user}.box" if depends else None)

    def use_input(self) -> None:
        """Add an input of either scope, and a node that takes it."""
        name = f"in{len(self.inputs)}"
        scope = self.draw(st.sampled_from(["tube", "process"]))
        self.inputs[name] = given(scope, default=self.draw(_SMALL))
        if scope == "tube" and self.draw(st.booleans()):
            self.grow(_Kind("nodes.count", params=st.just({"start": f"input.{name}"})))
        else:
            self.grow(_Kind("nodes.mix", positional=(0, 2)), extra={"given": f"input.{name}"})

    def nest(self) -> None:
        """Add a tube within the tube."""
        inner, signals, slots = self.draw(st.sampled_from(_INNER_TUBES))
        wired, under = self.pick(*slots)
        self.plant(nested(inner, **wired), signals, under)

    def finish(self) -> Spec:
        """Disable some nodes, add a return, list the nodes in any order."""
        if self.draw(st.integers(0, 7)) == 0:
            self.nodes[self.draw(st.sampled_from(list(self.nodes)))]["enabled"] = False
        form = self.draw(st.sampled_from(["keyword", "list", "scalar", "none"]))
        wired, _ = self.pick("one") if form == "scalar" else self.pick("one", "two", "three")
        if form == "scalar":
            self.nodes["result"] = node("return", depends=wired["one"])
        elif form == "list":
            self.nodes["result"] = node("return", *wired.values())
        elif form == "keyword":
            self.nodes["result"] = node("return", **wired)
        order = self.draw(st.permutations(list(self.nodes)))
        return tube(
            assets=self.assets, inputs=self.inputs, **{name: self.nodes[name] for name in order}
        )


_INNER_TUBES: list[tuple[Spec, tuple[str, ...], tuple[str, ...]]] = [
    (
        tube(s=node("nodes.count"), r=node("return", depends="s.value")),
        ("value",),
        (),
    ),
    (
        tube(s=node("nodes.count", params={"limit": 2}), r=node("return", depends="s.value")),
        ("value",),
        (),
    ),
    (
        tube(
            inputs={"x": given("process")},
            s=node("nodes.sometimes"),
            a=node("nodes.mix", "s.value", "input.x"),
            t=node("classes.Tally", "input.x"),
            r=node("return", rare="a.value", often="t.total"),
        ),
        ("rare", "often"),
        ("x",),
    ),
    (
        tube(
            inputs={"x": given("process")},
            l=node("nodes.listed", "input.x"),
            m=node("map", "l.value"),
            a=node("nodes.mix", "m.value"),
            g=node("gather", value="a.value", n="m.n"),
            r=node("return", all="g.value"),
        ),
        ("all",),
        ("x",),
    ),
]


@st.composite
def tube_specs(draw: DrawFn, max_nodes: int = 14) -> Spec:
    """Random valid tube specifications as dicts, of up to ``max_nodes`` nodes and a return.

    All inputs have defaults. Some of the tubes raise, and of some NOOB's own runner never finishes
    an epoch: run them within :func:`~noob_runners.testing.limits.batch_limit`.
    """
    garden = _Garden(draw)
    for _ in range(draw(st.integers(1, 3))):
        garden.grow(draw(st.sampled_from(_SOURCES)))
    refusing = draw(st.integers(0, 9)) == 0
    steps = ["inner"] * 6 + ["map", "map", "gather", "asset", "input", "nest", "source"]
    for step in draw(st.lists(st.sampled_from(steps), max_size=max_nodes - len(garden.nodes))):
        if step == "inner":
            garden.grow(draw(st.sampled_from(_INNER)))
        elif step == "source":
            garden.grow(draw(st.sampled_from(_SOURCES)))
        elif step == "map":
            garden.map()
        elif step == "gather":
            garden.gather_all()
        elif step == "asset":
            garden.use_asset()
        elif step == "input":
            garden.use_input()
        else:
            garden.nest()
    if refusing:
        garden.grow(_REFUSING)
    return garden.finish()


@st.composite
def tube_cases(draw: DrawFn, max_nodes: int = 14) -> Case:
    """Random tubes with a number of epochs, inputs and nodes switched off and on between epochs."""
    spec = draw(tube_specs(max_nodes))
    epochs = draw(st.integers(1, 5))
    scopes: dict[str, dict[str, SearchStrategy[Any]]] = {"tube": {}, "process": {}}
    for name, options in spec.get("input", {}).items():
        scopes[options["scope"]][name] = _SMALL
    switched = [n for n, s in spec["nodes"].items() if s["type"] not in ("tube", "return")]
    toggles: dict[int, dict[str, bool]] = {}
    if switched and draw(st.integers(0, 5)) == 0:
        name, at = draw(st.sampled_from(switched)), draw(st.integers(1, 3))
        toggles = {at: {name: False}, at + 1: {name: True}}
    return Case(
        "random",
        spec,
        epochs=epochs,
        tube_input=draw(st.fixed_dictionaries({}, optional=scopes["tube"])),
        inputs=tuple(
            draw(
                st.lists(
                    st.fixed_dictionaries({}, optional=scopes["process"]), min_size=1, max_size=3
                )
            )
        ),
        toggles=toggles,
    )
