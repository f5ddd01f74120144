"""Cases of what outlives a call: assets of all scopes, inputs of both scopes, tubes in tubes."""

from __future__ import annotations

from noob_runners.testing.spec import Case, asset, given, nested, node, tube

ASSETS = [
    *(
        Case(
            f"{scope}_assets",
            tube(
                assets={
                    "box": asset("Box", scope, {"value": 2}),
                    "made": asset("make_box", scope),
                    "opened": asset("opened_box", scope, {"value": 5}),
                    "ledger": asset("Ledger", scope, {"first": 9}),
                },
                s=node("nodes.count"),
                a=node("nodes.bump", box="assets.box", value="s.value"),
                b=node("nodes.peek", "assets.made", "s.value"),
                c=node("nodes.bump", "assets.opened", "a.count"),
                d=node("nodes.append", ledger="assets.ledger", value="c.count"),
                r=node("return", a="a.count", b="b.value", d="d.value"),
            ),
        )
        for scope in ("runner", "process", "node")
    ),
    *(
        Case(
            f"{scope}_asset_shared_by_a_chain",
            tube(
                assets={"box": asset("Box", scope, {"value": 1})},
                s=node("nodes.count"),
                a=node("nodes.bump", box="assets.box", value="s.value"),
                b=node("nodes.bump", box="assets.box", value="a.count"),
                c=node("nodes.peek", "assets.box", "b.count"),
                r=node("return", b="b.count", c="c.value"),
            ),
        )
        for scope in ("runner", "process", "node")
    ),
    Case(
        "asset_beside_a_source_that_is_disabled",
        tube(
            assets={"box": asset("Box", "process")},
            n=node("nodes.stamp_alone"),
            r=node("return", one="n.value", two="q.value"),
            b=node("nodes.mix", "q.value"),
            a=node("nodes.bump", box="assets.box", value="q.value"),
            q=node("nodes.sparse_none", enabled=False),
        ),
    ),
    Case(
        "asset_without_other_slots",
        tube(
            assets={"box": asset("Box", "runner")},
            a=node("nodes.bump", box="assets.box"),
            r=node("return", depends="a.count"),
        ),
    ),
    Case(
        "asset_that_depends_on_a_node",
        tube(
            assets={"box": asset("Box", "runner", depends="a.box")},
            s=node("nodes.count"),
            a=node("nodes.bump", box="assets.box", value="s.value"),
            r=node("return", depends="a.count"),
        ),
    ),
    Case(
        "asset_that_depends_on_the_last_of_a_chain",
        tube(
            assets={"box": asset("make_box", "runner", {"value": 3}, depends="b.box")},
            s=node("nodes.count"),
            a=node("nodes.bump", box="assets.box", value="s.value"),
            b=node("nodes.bump", box="a.box", value="a.count"),
            c=node("nodes.bump", box="b.box", value="s.value"),
            r=node("return", b="b.count", c="c.count"),
        ),
    ),
    Case(
        "asset_that_depends_on_a_node_often_silent",
        tube(
            assets={"box": asset("Box", "runner", depends="a.box")},
            s=node("nodes.sometimes"),
            a=node("nodes.bump", box="assets.box", value="s.value"),
            r=node("return", depends="a.count"),
        ),
    ),
    *(
        Case(
            f"{scope}_asset_in_subepochs",
            tube(
                assets={
                    "box": asset("Box", scope),
                    "ledger": asset("Ledger", scope),
                },
                s=node("nodes.lists"),
                m=node("map", "s.value"),
                a=node("nodes.bump", box="assets.box", value="m.value"),
                b=node("nodes.append", ledger="assets.ledger", value="a.count"),
                r=node("return", b="b.value"),
            ),
        )
        for scope in ("runner", "process", "node")
    ),
]

INPUTS = [
    Case(
        "process_input",
        tube(
            inputs={"x": given("process"), "y": given("process", default=7)},
            s=node("nodes.count"),
            a=node("nodes.add", left="s.value", right="input.x"),
            b=node("nodes.mix", "input.y", "a.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
        inputs=({"x": 1}, {"x": 2, "y": 3}),
    ),
    Case(
        "process_input_missing",
        tube(
            inputs={"x": given("process")},
            a=node("nodes.scale", value="input.x"),
            r=node("return", depends="a.value"),
        ),
        inputs=({"x": 1}, {}),
    ),
    Case(
        "process_input_not_required",
        tube(
            inputs={"x": given("process", required=False)},
            a=node("nodes.keywords", value="input.x"),
            r=node("return", a="a.value"),
        ),
        inputs=({"x": 1}, {}),
    ),
    Case(
        "process_input_nobody_asked_for",
        tube(
            inputs={"x": given("process", default=1)},
            a=node("nodes.scale", value="input.x"),
            r=node("return", depends="a.value"),
        ),
        inputs=({"x": 4, "other": 5}, {"other": 5}, {}),
    ),
    Case(
        "input_to_a_tube_that_has_none",
        tube(s=node("nodes.count"), r=node("return", depends="s.value")),
        inputs=({"x": 1}, {}),
    ),
    Case(
        "tube_input_in_params",
        tube(
            inputs={"k": given("tube"), "d": given("tube", default=4)},
            s=node("nodes.count", params={"start": "input.k"}),
            a=node("nodes.scale", value="s.value", params={"factor": "input.d"}),
            r=node("return", depends="a.value"),
        ),
        tube_input={"k": 100},
    ),
    Case(
        "inputs_of_both_scopes_as_slots",
        tube(
            inputs={"k": given("tube"), "p": given("process")},
            a=node("nodes.mix", "input.k", x="input.p"),
            r=node("return", depends="a.value"),
        ),
        tube_input={"k": 3, "p": 8},
        inputs=({}, {"p": 9}),
    ),
    Case(
        "tube_input_in_an_asset",
        tube(
            inputs={"k": given("tube", default=40)},
            assets={"box": asset("Box", "runner", {"value": "input.k"})},
            a=node("nodes.bump", box="assets.box"),
            r=node("return", depends="a.count"),
        ),
    ),
    *(
        Case(
            f"node_enabled_by_input_{flag}",
            tube(
                inputs={"flag": given("tube", default=0)},
                s=node("nodes.count"),
                a=node("nodes.mix", "s.value", enabled="input.flag"),
                b=node("nodes.half_optional", value="s.value", extra="a.value"),
                r=node("return", b="b.value"),
            ),
            tube_input={"flag": flag},
        )
        for flag in (0, 1)
    ),
    Case(
        "input_and_subepochs",
        tube(
            inputs={"x": given("process", default=[1, 2])},
            m=node("map", "input.x"),
            a=node("nodes.mix", "m.value", "input.x"),
            r=node("return", a="a.value"),
        ),
        inputs=({}, {"x": [5, 6, 7]}, {"x": []}),
    ),
]

_COUNTING = tube(s=node("nodes.count"), r=node("return", depends="s.value"))
_ADDING = tube(
    inputs={"x": given("process")},
    s=node("nodes.count"),
    a=node("nodes.add", left="s.value", right="input.x"),
    r=node("return", sum="a.value", count="s.value"),
)
_RARE = tube(
    inputs={"x": given("process", default=0)},
    s=node("nodes.sometimes"),
    a=node("nodes.mix", "s.value", "input.x"),
    b=node("nodes.mix", "input.x"),
    r=node("return", rare="a.value", often="b.value"),
)
_FINITE = tube(s=node("nodes.count", params={"limit": 2}), r=node("return", depends="s.value"))

NESTED = [
    Case(
        "tube_in_a_tube",
        tube(n=nested(_COUNTING), a=node("nodes.mix", "n.value"), r=node("return", "a.value")),
    ),
    Case(
        "tube_in_a_tube_with_slots",
        tube(
            s=node("nodes.count", params={"start": 20}),
            n=nested(_ADDING, x="s.value"),
            a=node("nodes.mix", "n.sum", "n.count"),
            r=node("return", sum="n.sum", a="a.value"),
        ),
    ),
    Case(
        "tube_in_a_tube_often_silent",
        tube(
            s=node("nodes.count"),
            n=nested(_RARE, x="s.value"),
            a=node("nodes.optional", first="n.rare", second="n.often"),
            b=node("nodes.mix", "n.rare"),
            r=node("return", a="a.value", b="b.value"),
        ),
    ),
    Case(
        "tube_in_a_tube_runs_out",
        tube(
            s=node("nodes.count"),
            n=nested(_FINITE),
            a=node("nodes.half_optional", value="s.value", extra="n.value"),
            b=node("nodes.mix", "n.value"),
            r=node("return", a="a.value", b="b.value"),
        ),
        epochs=6,
    ),
    Case(
        "only_a_tube_that_runs_out",
        tube(n=nested(_FINITE), r=node("return", depends="n.value")),
        epochs=5,
    ),
    Case(
        "tube_in_a_tube_in_a_tube",
        tube(
            s=node("nodes.count"),
            n=nested(
                tube(
                    inputs={"y": given("process")},
                    m=nested(_ADDING, x="input.y"),
                    r=node("return", sum="m.sum", count="m.count"),
                ),
                y="s.value",
            ),
            r=node("return", sum="n.sum", count="n.count"),
        ),
    ),
    Case(
        "tube_in_a_tube_takes_inputs",
        tube(
            inputs={"k": given("tube", default=30)},
            n=nested(
                tube(
                    inputs={"k": given("tube"), "d": given("tube", default=2)},
                    s=node("nodes.count", params={"start": "input.k"}),
                    a=node("nodes.scale", value="s.value", params={"factor": "input.d"}),
                    r=node("return", depends="a.value"),
                )
            ),
            r=node("return", depends="n.value"),
        ),
        tube_input={"k": 31},
    ),
    Case(
        "tube_in_subepochs",
        tube(
            s=node("nodes.lists"),
            m=node("map", "s.value"),
            n=nested(_ADDING, x="m.value"),
            r=node("return", sum="n.sum", count="n.count"),
        ),
    ),
    Case(
        "tube_with_maps_and_assets_in_a_tube",
        tube(
            s=node("nodes.count"),
            n=nested(
                tube(
                    inputs={"x": given("process")},
                    assets={"box": asset("Box", "runner")},
                    l=node("nodes.listed", "input.x"),
                    m=node("map", "l.value"),
                    a=node("nodes.bump", box="assets.box", value="m.value"),
                    g=node("gather", value="a.count", n="m.n"),
                    r=node("return", all="g.value"),
                ),
                x="s.value",
            ),
            r=node("return", all="n.all"),
        ),
        epochs=6,
    ),
]
