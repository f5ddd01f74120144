"""Cases of one node call: slots, parameters, values, signals, injections, classes, coroutines."""

from __future__ import annotations

from noob_runners.testing.spec import Case, node, tube

CALLS = [
    Case("no_nodes", tube()),
    Case("no_return", tube(s=node("nodes.count"), a=node("nodes.mix", "s.value"))),
    Case(
        "positional_slots",
        tube(
            s=node("nodes.count"),
            k=node("nodes.constant", params={"value": 4}),
            a=node("nodes.subtract", "s.value", "k.value"),
            b=node("nodes.subtract", "k.value", "s.value"),
            c=node("nodes.mix", "a.value", "b.value", "a.value", "s.value"),
            r=node("return", depends="c.value"),
        ),
    ),
    Case(
        "keyword_slots",
        tube(
            s=node("nodes.count"),
            a=node("nodes.add", left="s.value"),
            b=node("nodes.add", left="s.value", params={"right": 3}),
            c=node("nodes.add", right="a.value", left="b.value"),
            d=node("nodes.scale", value="c.value", params={"factor": 7, "offset": 1}),
            e=node("nodes.keywords", value="d.value", other="a.value", more="b.value"),
            f=node("nodes.keywords", other="a.value"),
            r=node("return", e="e.value", f="f.value"),
        ),
    ),
    Case(
        "mixed_slots",
        tube(
            s=node("nodes.count"),
            a=node("nodes.mix", "s.value", x="s.value", y="s.value"),
            b=node("nodes.add", "s.value", right="a.value"),
            r=node("return", "a.value", b="b.value"),
        ),
    ),
    Case(
        "scalar_dependency",
        tube(
            s=node("nodes.count"),
            a=node("nodes.scale", depends="s.value"),
            r=node("return", depends="a.value"),
        ),
    ),
    Case(
        "builtin_types",
        tube(
            s=node("nodes.lists"),
            a=node("sum", "s.value"),
            b=node("sorted", "s.value", params={"reverse": True}),
            r=node("return", "a.value", "b.value"),
        ),
    ),
    Case(
        "spec_order_is_not_call_order",
        tube(
            r=node("return", c="c.value"),
            c=node("nodes.mix", "b.value", "a.value", "s.value"),
            b=node("nodes.mix", "a.value"),
            a=node("nodes.mix", "s.value"),
            s=node("nodes.count"),
        ),
    ),
    Case(
        "diamonds",
        tube(
            s=node("nodes.count"),
            **{f"a{at}": node("nodes.mix", "s.value") for at in range(3)},
            **{f"b{at}": node("nodes.mix", "a0.value", f"a{at}.value") for at in range(3)},
            c=node("nodes.mix", *(f"b{at}.value" for at in range(3)), x="s.value"),
            r=node("return", depends="c.value"),
        ),
    ),
    Case(
        "unconnected_parts",
        tube(
            s=node("nodes.count"),
            t=node("nodes.count", params={"start": 50}),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.mix", "t.value"),
            r=node("return", depends="b.value"),
        ),
    ),
    Case(
        "none_is_a_value",
        tube(
            s=node("nodes.sparse_none"),
            a=node("nodes.nothing", "s.value"),
            b=node("nodes.half_optional", value="a.value", extra="s.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
    ),
    Case(
        "none_returned_as_scalar",
        tube(s=node("nodes.sparse_none"), r=node("return", depends="s.value")),
    ),
    Case(
        "values_of_many_kinds",
        tube(
            s=node("nodes.count"),
            a=node("nodes.not_a_number", "s.value"),
            b=node("nodes.payload", "s.value"),
            c=node("nodes.constant", params={"value": {"x": [1, 2.5, None, True], "y": "text"}}),
            d=node("nodes.keywords", a="a.value", b="b.value", c="c.value"),
            r=node("return", d="d.value"),
        ),
    ),
    Case(
        "several_signals",
        tube(
            s=node("nodes.count", params={"start": 8}),
            a=node("nodes.split", "s.value"),
            b=node("nodes.named", "a.high"),
            c=node("nodes.mix", low="a.low", high="a.high", wrapped="b.wrapped"),
            p=node("nodes.pairs"),
            r=node("return", "a.low", "c.value", right="p.right", left="p.left"),
        ),
    ),
    Case(
        "signals_from_the_specification",
        tube(
            s=node("nodes.count"),
            one=node("classes.Fan", "s.value", params={"names": ["only"]}),
            two=node("classes.Fan", "one.only", params={"names": ["x", "y"]}),
            r=node("return", x="two.x", y="two.y"),
        ),
    ),
    Case(
        "epoch_injected",
        tube(
            s=node("nodes.count"),
            a=node("nodes.stamp", "s.value"),
            b=node("nodes.stamp_alone"),
            r=node("return", "a.value", "b.value"),
        ),
    ),
    Case(
        "events_injected",
        tube(
            s=node("nodes.turns"),
            k=node("nodes.constant"),
            a=node("nodes.trace", first="s.left", extra="s.right"),
            b=node("nodes.trace", "k.value", other="k.value"),
            c=node("nodes.trace"),
            r=node("return", a="a.value", b="b.value", c="c.value"),
        ),
    ),
    Case(
        "coroutines",
        tube(
            s=node("nodes.count"),
            a=node("nodes.async_mix", x="s.value"),
            b=node("nodes.async_mix", x="a.value", y="s.value"),
            c=node("classes.AsyncPlain", value="b.value"),
            d=node("classes.AsyncTally", value="c.value"),
            r=node("return", c="c.value", d="d.total"),
        ),
    ),
    Case(
        # NOOB takes the first positional argument of a coroutine for an executor of its own
        "coroutines_with_positional_slots",
        tube(
            s=node("nodes.count"),
            a=node("nodes.async_mix", "s.value", "s.value", x="s.value"),
            r=node("return", depends="a.value"),
        ),
    ),
    Case(
        "class_nodes",
        tube(
            t=node("classes.Ticker"),
            a=node("classes.Scale", "t.tick", params={"factor": 4}),
            b=node("classes.Scale", value="a.scaled", shift="t.tick"),
            c=node("classes.Tally", "b.scaled"),
            d=node("nodes.mix", "c.total", "c.seen"),
            r=node("return", total="c.total", d="d.value"),
        ),
    ),
    Case(
        "wrapped_classes",
        tube(
            t=node("classes.PlainCounter"),
            a=node("classes.Plain", "t.tick", params={"factor": 2}),
            b=node("classes.Plain", value="a.value", extra="t.tick"),
            c=node("classes.Decorated", "b.value"),
            r=node("return", b="b.value", c="c.values"),
        ),
    ),
    Case(
        "runner_context",
        tube(
            inputs={"seed": {"type": "int", "scope": "tube", "default": 5}},
            c=node("classes.Context"),
            r=node("return", depends="c.value"),
        ),
        tube_input={"seed": 6},
    ),
    Case(
        "explicit_events",
        tube(
            s=node("nodes.count"),
            a=node("classes.Envelope", "s.value"),
            b=node("nodes.mix", "a.value"),
            c=node("classes.Envelopes", "s.value"),
            d=node("nodes.mix", "c.first", x="c.second"),
            e=node("nodes.optional", first="a.value", second="c.second"),
            r=node("return", b="b.value", d="d.value", e="e.value"),
        ),
    ),
    Case(
        "generator_without_annotations",
        tube(
            s=node("nodes.unannotated", params={"start": 3}),
            r=node("return", depends="s.value"),
        ),
    ),
]
