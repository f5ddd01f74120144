"""Calls that are asked for before their turn, on graphs large enough for many of them."""

from __future__ import annotations

import random

import pytest

from noob_runners import CompiledRunner, IndexedTube, components
from noob_runners.testing.scrambled import ScrambledRunner
from noob_runners.testing.spec import node, tube


@pytest.fixture(params=["native", "twins"])
def _component(request: pytest.FixtureRequest) -> None:
    if request.param == "twins":
        request.getfixturevalue("twins")
    elif not components.NATIVE:
        pytest.skip("noob_fast is not installed, or NOOB_FAST=0 is set")


def layered(seed: int, layers: int = 12, width: int = 6) -> dict:
    """A tube of functions of one to three inputs, with a silent node here and there."""
    choose = random.Random(seed)
    nodes = {"s": node("nodes.count")}
    before = ["s"]
    for layer in range(layers):
        names = [f"n{layer}_{at}" for at in range(width)]
        for name in names:
            sources = choose.sample(before, min(len(before), choose.randint(1, 3)))
            inputs = [f"{source}.value" for source in sources]
            if choose.random() < 0.1:
                nodes[name] = node("nodes.sieve", inputs[0], params={"modulus": 5})
            else:
                nodes[name] = node("nodes.mix", *inputs)
        before = [*names, *before[:2]]
    nodes["r"] = node("return", **{name: f"{name}.value" for name in before})
    return tube(**nodes)


@pytest.mark.usefixtures("_component")
@pytest.mark.parametrize("restless", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_answers_gives_the_same(seed: int, restless: bool) -> None:  # noqa: FBT001 (parametrised)
    def run(runner):
        results = runner.run(n=5)
        events = sorted((e["node_id"], str(e["value"])) for e in runner.store.flat_events)
        runner.deinit()
        return results, events

    expected = run(CompiledRunner(IndexedTube.from_specification(layered(seed))))
    runner = ScrambledRunner(
        IndexedTube.from_specification(layered(seed)), seed=seed, restless=restless
    )
    assert run(runner) == expected
