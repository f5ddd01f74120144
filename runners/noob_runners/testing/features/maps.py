"""Cases of subepochs: maps, maps of maps, and the gathers that end them."""

from __future__ import annotations

from noob_runners.testing.spec import Case, node, tube

_MAPPED = {
    "s": node("nodes.lists", params={"lengths": [3, 1, 0, 2]}),
    "m": node("map", value="s.value"),
}

MAPS = [
    Case("map", tube(**_MAPPED, a=node("nodes.mix", "m.value"), r=node("return", a="a.value"))),
    Case("map_scalar_return", tube(**_MAPPED, r=node("return", depends="m.value"))),
    Case(
        "map_positional_return",
        tube(**_MAPPED, a=node("nodes.mix", "m.value"), r=node("return", "m.value", "a.value")),
    ),
    Case(
        "map_beside_its_own_epoch",
        tube(
            **_MAPPED,
            k=node("nodes.count"),
            a=node("nodes.mix", "m.value", "k.value", x="m.n", y="s.value"),
            b=node("nodes.stamp", "a.value"),
            r=node("return", b="b.value", n="m.n", k="k.value"),
        ),
    ),
    Case(
        "map_in_an_optional_slot",
        tube(
            **_MAPPED,
            k=node("nodes.count"),
            a=node("nodes.half_optional", value="k.value", extra="m.value"),
            b=node("nodes.optional", first="m.value", second="k.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
    ),
    Case(
        "map_of_explicit_lists",
        tube(
            s=node("nodes.count"),
            l=node("nodes.listed", "s.value"),
            m=node("map", "l.value"),
            a=node("classes.Plain", "m.value"),
            r=node("return", a="a.value"),
        ),
        epochs=6,
    ),
    Case(
        "silence_in_some_subepochs",
        tube(
            **_MAPPED,
            a=node("nodes.sieve", "m.value", params={"modulus": 2}),
            b=node("nodes.half_optional", value="m.value", extra="a.value"),
            c=node("nodes.mix", "a.value"),
            r=node("return", b="b.value", c="c.value"),
        ),
    ),
    Case(
        "states_in_subepochs",
        tube(
            **_MAPPED,
            a=node("classes.Tally", "m.value"),
            b=node("classes.Decorated", "a.total"),
            c=node("nodes.async_mix", x="b.values"),
            d=node("classes.Envelope", "c.value"),
            e=node("nodes.trace", first="m.value", other="s.value"),
            r=node("return", a="a.seen", c="c.value", d="d.value", e="e.value"),
        ),
    ),
    Case(
        "two_maps_nested",
        tube(
            s=node("nodes.tables"),
            m=node("map", "s.value"),
            q=node("map", "m.value"),
            a=node("nodes.mix", "q.value", "m.value", "s.value", x="q.n", y="m.n"),
            b=node("nodes.stamp", "a.value"),
            r=node("return", b="b.value", outer="m.value"),
        ),
    ),
    Case(
        "map_of_a_map_of_computed_lists",
        tube(
            s=node("nodes.count"),
            t=node("nodes.tabled", "s.value"),
            m=node("map", value="t.value"),
            q=node("map", value="m.value"),
            g=node("gather", value="q.value", n="q.n"),
            a=node("nodes.mix", "g.value"),
            h=node("gather", value="a.value", params={"n": 2}),
            r=node("return", g="g.value", h="h.value"),
        ),
    ),
]

GATHERS = [
    Case(
        "gather_n_across_epochs",
        tube(
            s=node("nodes.count"),
            g=node("gather", value="s.value", params={"n": 3}),
            a=node("nodes.mix", "g.value"),
            r=node("return", g="g.value", a="a.value"),
        ),
        epochs=7,
    ),
    Case(
        "gather_n_in_subepochs",
        tube(
            **_MAPPED,
            a=node("nodes.mix", "m.value"),
            g=node("gather", value="a.value", params={"n": 2}),
            b=node("nodes.keywords", g="g.value"),
            r=node("return", b="b.value"),
        ),
        epochs=6,
    ),
    Case(
        "gather_n_as_a_slot",
        tube(
            **_MAPPED,
            a=node("nodes.mix", "m.value"),
            g=node("gather", value="a.value", n="m.n"),
            b=node("nodes.mix", "g.value"),
            c=node("nodes.mix", "b.value", "s.value"),
            r=node("return", b="b.value", c="c.value"),
        ),
    ),
    Case(
        "gather_until_triggered",
        tube(
            s=node("nodes.count"),
            t=node("nodes.sometimes", params={"every": 3, "start": 1}),
            g=node("gather", value="s.value", trigger="t.value"),
            a=node("nodes.half_optional", value="s.value", extra="g.value"),
            r=node("return", a="a.value", g="g.value"),
        ),
        epochs=7,
    ),
    Case(
        "gather_in_subepochs_until_triggered",
        tube(
            **_MAPPED,
            t=node("nodes.sieve", "m.value", params={"modulus": 2}),
            g=node("gather", value="m.value", trigger="t.value"),
            a=node("nodes.mix", "g.value"),
            r=node("return", a="a.value"),
        ),
        epochs=6,
    ),
    Case(
        "gather_flattens",
        tube(
            s=node("nodes.lists"),
            g=node("gather", value="s.value", params={"n": 2, "flatten": True}),
            r=node("return", depends="g.value"),
        ),
        epochs=5,
    ),
    Case(
        "gather_then_map",
        tube(
            s=node("nodes.count"),
            g=node("gather", value="s.value", params={"n": 2}),
            m=node("map", value="g.value"),
            a=node("nodes.stamp", "m.value"),
            r=node("return", a="a.value"),
        ),
        epochs=5,
    ),
    Case(
        "gather_mixed_with_its_subepochs",
        tube(
            **_MAPPED,
            a=node("nodes.mix", "m.value"),
            g=node("gather", value="a.value", n="m.n"),
            o=node("nodes.optional", first="g.value", second="a.value"),
            b=node("nodes.mix", "g.value", "a.value"),
            r=node("return", "g.value", "b.value", o="o.value"),
        ),
    ),
    Case(
        "gather_silent_values",
        tube(
            s=node("nodes.sometimes"),
            g=node("gather", value="s.value", params={"n": 2}),
            r=node("return", depends="g.value"),
        ),
        epochs=7,
    ),
]
