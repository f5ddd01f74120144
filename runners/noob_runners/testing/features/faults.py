"""Cases that end in an exception, when the tube is loaded or in some epoch: always the same one."""

from __future__ import annotations

from noob_runners.testing.spec import Case, asset, given, nested, node, tube

_S = node("nodes.count", params={"start": 1})
_REFUSE = node("nodes.refuse", "s.value", params={"modulus": 3})

_RAISING = [
    Case(
        "function_raises",
        tube(s=_S, a=_REFUSE, b=node("nodes.mix", "a.value"), r=node("return", depends="b.value")),
    ),
    Case(
        "first_call_raises",
        tube(s=_S, a=node("nodes.refuse", "s.value", params={"modulus": 1})),
    ),
    Case(
        "coroutine_raises",
        tube(
            s=_S,
            a=node("nodes.async_refuse", value="s.value", params={"modulus": 3}),
            r=node("return", depends="a.value"),
        ),
    ),
    Case("source_raises", tube(s=node("nodes.breaks"), r=node("return", depends="s.value"))),
    Case(
        "call_in_a_subepoch_raises",
        tube(
            s=node("nodes.lists"),
            m=node("map", "s.value"),
            a=node("nodes.refuse", "m.value", params={"modulus": 13, "remainder": 11}),
            r=node("return", a="a.value"),
        ),
    ),
    Case(
        "node_in_a_tube_in_a_tube_raises",
        tube(
            n=nested(tube(s=_S, a=_REFUSE, r=node("return", depends="a.value"))),
            r=node("return", depends="n.value"),
        ),
    ),
    Case(
        "user_of_assets_raises",
        tube(
            assets={"box": asset("opened_box", "runner"), "other": asset("Box", "node")},
            s=_S,
            a=node("nodes.bump", box="assets.box", value="s.value"),
            b=node("nodes.peek", "assets.other", "a.count"),
            c=node("nodes.refuse", "b.value", params={"modulus": 3}),
            r=node("return", depends="c.value"),
        ),
    ),
    Case(
        "none_for_two_signals",
        tube(s=_S, a=node("nodes.mute", "s.value"), b=node("nodes.mix", "a.low")),
    ),
    Case(
        "one_signal_emitted_twice",
        tube(s=_S, a=node("classes.Echo", "s.value"), b=node("nodes.mix", "a.value")),
    ),
    Case(
        "return_of_an_input",
        tube(inputs={"x": given("process", default=1)}, r=node("return", x="input.x")),
    ),
    Case(
        "slot_that_does_not_exist",
        tube(s=_S, a=node("nodes.add", nowhere="s.value")),
    ),
    Case("map_of_a_number", tube(s=_S, m=node("map", "s.value"), r=node("return", x="m.value"))),
    Case(
        "gather_with_n_and_trigger",
        tube(s=_S, g=node("gather", value="s.value", trigger="s.value", params={"n": 2})),
    ),
    Case(
        "process_input_of_the_wrong_kind",
        tube(
            inputs={"x": given("process")},
            s=_S,
            a=node("nodes.add", left="s.value", right="input.x"),
            r=node("return", depends="a.value"),
        ),
        inputs=({"x": 1}, {"x": "text"}),
    ),
]

_REFUSED = [
    Case("tube_input_missing", tube(inputs={"k": given("tube")}, s=_S)),
    Case("cycle", tube(a=node("nodes.mix", "b.value"), b=node("nodes.mix", "a.value"))),
    Case("node_that_does_not_exist", tube(a=node("nodes.mix", "nowhere.value"))),
    Case("type_that_does_not_exist", tube(a=node("nodes.nowhere"))),
    Case("parameter_that_does_not_exist", tube(a=node("classes.Ticker", params={"nowhere": 1}))),
    Case("two_returns", tube(s=_S, r=node("return", "s.value"), q=node("return", "s.value"))),
    Case(
        "two_unrelated_maps",
        tube(
            s=node("nodes.lists"),
            m=node("map", "s.value"),
            q=node("map", "s.value"),
            a=node("nodes.mix", "m.value", "q.value"),
        ),
    ),
    Case(
        "asset_used_beside_the_node_it_depends_on",
        tube(
            assets={"box": asset("Box", "runner", depends="a.box")},
            a=node("nodes.bump", box="assets.box"),
            b=node("nodes.peek", "assets.box"),
        ),
    ),
    Case(
        "asset_of_the_wrong_scope",
        tube(
            assets={"box": asset("Box", "process", depends="a.box")},
            a=node("nodes.bump", box="assets.box"),
        ),
    ),
]

FAULTS = [*_RAISING, *_REFUSED]
