"""Cases of what runs when: silence, optional slots, exhaustion, nodes that are disabled."""

from __future__ import annotations

from noob_runners.testing.spec import Case, node, tube

SILENCE = [
    Case(
        "silence_stops_a_chain",
        tube(
            s=node("nodes.sometimes"),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.mix", "a.value"),
            r=node("return", depends="b.value"),
        ),
    ),
    Case(
        "silence_reaches_an_optional_slot_through_a_chain",
        tube(
            s=node("nodes.sometimes", params={"every": 3}),
            k=node("nodes.count"),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.mix", "a.value"),
            c=node("nodes.half_optional", value="k.value", extra="b.value"),
            d=node("nodes.optional", first="a.value", second="b.value", third="c.value"),
            r=node("return", c="c.value", d="d.value"),
        ),
        epochs=5,
    ),
    Case(
        "optional_slots_all_silent",
        tube(
            s=node("nodes.turns"),
            a=node("nodes.optional", first="s.left", second="s.right"),
            b=node("nodes.mix", "s.left", "s.right"),
            r=node("return", a="a.value", b="b.value"),
        ),
        epochs=6,
    ),
    Case(
        "one_signal_silent",
        tube(
            s=node("nodes.count"),
            a=node("nodes.route", "s.value"),
            b=node("nodes.mix", "a.even"),
            c=node("nodes.mix", "a.odd"),
            d=node("nodes.optional", first="b.value", second="c.value"),
            e=node("nodes.mix", "b.value", "c.value"),
            r=node("return", b="b.value", c="c.value", d="d.value", e="e.value"),
        ),
        epochs=5,
    ),
    Case(
        "positional_return_partly_silent",
        tube(
            s=node("nodes.turns"),
            k=node("nodes.count"),
            r=node("return", "s.left", "k.value"),
        ),
        epochs=5,
    ),
    Case(
        "keyword_return_partly_silent",
        tube(
            s=node("nodes.turns"),
            r=node("return", left="s.left", right="s.right"),
        ),
        epochs=6,
    ),
    Case(
        "return_never_fed",
        tube(
            s=node("nodes.sometimes", params={"every": 1000, "start": 1}),
            r=node("return", "s.value"),
        ),
        epochs=3,
    ),
    Case(
        "silence_with_injections",
        tube(
            s=node("nodes.sometimes"),
            a=node("nodes.trace", first="s.value"),
            b=node("nodes.stamp", "s.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
    ),
]

ENDS = [
    Case(
        "source_runs_out",
        tube(
            s=node("nodes.count", params={"limit": 3}),
            a=node("nodes.mix", "s.value"),
            r=node("return", depends="a.value"),
        ),
        epochs=6,
    ),
    Case(
        "source_is_empty",
        tube(s=node("nodes.count", params={"limit": 0}), r=node("return", depends="s.value")),
    ),
    Case(
        "one_of_two_sources_runs_out",
        tube(
            s=node("nodes.count", params={"limit": 2}),
            t=node("nodes.count", params={"start": 10}),
            a=node("nodes.mix", "s.value", "t.value"),
            b=node("nodes.mix", "t.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
        epochs=6,
    ),
    Case(
        "exhausted_source_of_an_optional_slot",
        tube(
            s=node("nodes.count", params={"limit": 2}),
            t=node("nodes.count", params={"start": 10}),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.half_optional", value="t.value", extra="a.value"),
            c=node("nodes.optional", first="s.value", second="b.value"),
            r=node("return", b="b.value", c="c.value"),
        ),
        epochs=6,
    ),
    Case(
        # (NOOB runs it once more, in the sub-epochs, and takes what it raises for the run's end.)
        "exhausted_tube_below_a_map",
        tube(
            s=node("nodes.lists"),
            m=node("map", value="s.value"),
            t=node(
                "tube",
                params={
                    "tube": tube(
                        c=node("nodes.count", params={"limit": 2}),
                        r=node("return", depends="c.value"),
                    )
                },
            ),
            a=node("nodes.mix", x="m.value", y="t.value"),
        ),
        epochs=4,
    ),
    Case(
        # (NOOB tells a tube below a map of no input that is disabled above it.)
        "tube_without_its_input_below_a_map",
        tube(
            n=node("nodes.count", enabled=False),
            s=node("nodes.lists"),
            m=node("map", value="s.value"),
            t=node(
                "tube",
                x="n.value",
                params={
                    "tube": tube(
                        inputs={"x": {"type": "int", "scope": "process"}},
                        r=node("return", x="input.x"),
                    )
                },
            ),
            r=node("return", one="t.x", two="m.value"),
        ),
        epochs=2,
    ),
    Case(
        "two_sources_run_out_apart",
        tube(
            s=node("nodes.count", params={"limit": 1}),
            t=node("classes.Ticker", params={"limit": 3}),
            u=node("classes.PlainCounter", params={"limit": 2}),
            a=node("nodes.optional", first="s.value", second="t.tick", third="u.tick"),
            r=node("return", a="a.value"),
        ),
        epochs=6,
    ),
    Case(
        "source_of_two_signals_runs_out",
        tube(
            s=node("nodes.pairs", params={"limit": 2}),
            a=node("nodes.mix", "s.left", "s.right"),
            r=node("return", depends="a.value"),
        ),
        epochs=4,
    ),
    Case(
        "nodes_disabled",
        tube(
            s=node("nodes.count"),
            a=node("nodes.mix", "s.value", enabled=False),
            b=node("nodes.mix", "a.value"),
            c=node("nodes.half_optional", value="s.value", extra="a.value"),
            d=node("nodes.half_optional", value="s.value", extra="b.value"),
            r=node("return", c="c.value", d="d.value"),
        ),
    ),
    Case(
        "nodes_disabled_and_enabled_between_epochs",
        tube(
            s=node("nodes.count"),
            a=node("classes.Tally", "s.value"),
            b=node("nodes.half_optional", value="s.value", extra="a.total"),
            c=node("nodes.mix", "a.total"),
            r=node("return", b="b.value", c="c.value"),
        ),
        epochs=8,
        toggles={2: {"a": False}, 4: {"a": True}, 6: {"b": False, "s": True}},
    ),
    Case(
        "source_disabled_between_epochs",
        tube(
            s=node("nodes.count"),
            t=node("nodes.count", params={"start": 10}),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.mix", "t.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
        epochs=6,
        toggles={2: {"s": False}, 4: {"s": True}},
    ),
    Case(
        "return_disabled_between_epochs",
        tube(s=node("nodes.count"), r=node("return", depends="s.value")),
        epochs=5,
        toggles={1: {"r": False}, 3: {"r": True}},
    ),
    Case(
        "map_disabled_between_epochs",
        tube(
            s=node("nodes.lists", params={"lengths": [3, 1, 0, 2]}),
            m=node("map", value="s.value"),
            a=node("nodes.mix", "m.value"),
            b=node("nodes.half_optional", value="s.value", extra="a.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
        epochs=6,
        toggles={1: {"m": False}, 3: {"m": True}},
    ),
]
