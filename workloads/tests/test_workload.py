"""Workloads: what they refuse, their durations, and that NOOB itself reaches their reference."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from noob import SynchronousRunner, Tube
from noob.cli.main import main
from noob.yaml import yaml

from noob_workloads import (
    KERNELS,
    PATTERNS,
    InvalidWorkloadError,
    UnknownKernelError,
    UnknownPatternError,
    Workload,
    WorkloadError,
    reference,
)
from noob_workloads.tube import FOLD_FAN_IN
from noob_workloads.workflows import RECIPES

DATA = Path(__file__).parent / "data"
EPOCHS = 3


def workload_of(pattern, **options):
    if pattern == "wfformat":
        return Workload(pattern=pattern, source=str(DATA / "wfformat-1.5.json"), **options)
    if pattern in RECIPES:
        pytest.importorskip("wfcommons")
        return Workload(pattern=pattern, nodes=RECIPES[pattern].least + 9, **options)
    return Workload(pattern=pattern, nodes=37, width=6, fan_in=3, **options)


def workload_with(kernel):
    return Workload(
        nodes=30,
        width=4,
        kernel=kernel,
        duration=0.0 if kernel == "noop" else 1e-5,
        imbalance=1.0,
        output_bytes=100 if kernel == "payload" else 8,
    )


def results(tube):
    with SynchronousRunner(tube) as runner:
        return [runner.process() for _ in range(EPOCHS)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_noob_reaches_the_reference_of_every_pattern(pattern):
    workload = workload_of(pattern)
    assert results(workload.to_tube()) == reference(workload, EPOCHS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_noob_reaches_the_reference_of_every_kernel(kernel):
    workload = workload_with(kernel)
    assert results(workload.to_tube()) == reference(workload, EPOCHS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_plain_loop_reaches_the_reference(kernel):
    workload = workload_with(kernel)
    program = workload.program()
    assert [program.run() for _ in range(EPOCHS)] == reference(workload, EPOCHS)


def test_the_plain_loop_calls_what_the_tube_calls():
    workload = workload_with("payload")
    program = workload.program()
    tube = workload.to_tube()
    nodes = list(tube.nodes.values())[1:-1]
    assert len(nodes) == len(program.functions) - 1
    for node, function in zip(nodes, program.functions[1:], strict=True):
        assert node.process.func is function.func
        assert node.process.keywords == function.keywords
    names = list(tube.nodes)
    for node, sources in zip(nodes, program.predecessors[1:], strict=True):
        assert [edge.source_node for edge in node.edges] == [names[s] for s in sources]


@given(data=st.data(), nodes=st.integers(1, 60), width=st.integers(1, 8))
def test_any_one_wrong_value_changes_the_result(data, nodes, width):
    workload = Workload(nodes=nodes, width=width)
    program = workload.program()
    place = data.draw(st.integers(0, len(program.functions) - 1), label="place")
    bit = data.draw(st.integers(0, 63), label="bit")
    right = program.functions[place]
    program.functions[place] = lambda *inputs: right(*inputs) ^ (1 << bit)
    assert [program.run()] != reference(workload, 1)


def test_reference_of_the_default_workload_stays_the_same_for_ever():
    assert reference(Workload(), 2) == [
        {"digest": 3100989614688917067},
        {"digest": 7605369516173046113},
    ]


def test_epochs_of_the_reference():
    workload = Workload(nodes=5)
    assert reference(workload, 0) == []
    assert len({result["digest"] for result in reference(workload, 50)}) == 50
    with pytest.raises(InvalidWorkloadError, match="at least 0, not -1"):
        reference(workload, -1)


@given(
    nodes=st.integers(1, 600),
    width=st.integers(1, 600),
    pattern=st.sampled_from(["trivial", "random_layered"]),
)
def test_the_tube_takes_every_output_in_dependency_order(nodes, width, pattern):
    workload = Workload(pattern=pattern, nodes=nodes, width=width)
    spec = workload.to_spec()["nodes"]
    names = list(spec)
    assert names[0] == "src"
    assert names[1 : nodes + 1] == [f"n{i}" for i in range(nodes)]
    assert names[nodes + 1 : -1] == [f"f{i}" for i in range(len(names) - nodes - 2)]
    assert names[-1] == "ret"
    known, taken = {"src"}, set()
    for name in names[1:-1]:
        depends = [signal.removesuffix(".value") for signal in spec[name]["depends"]]
        assert depends
        assert known.issuperset(depends)
        if name.startswith("f"):
            assert len(depends) <= FOLD_FAN_IN
            assert taken.isdisjoint(depends)
        taken.update(depends)
        known.add(name)
    assert spec["ret"]["depends"] == [{"digest": f"{names[-2]}.value"}]
    assert taken == set(names[:-2])
    graph = workload.graph()
    for node in range(nodes):
        expected = [f"n{p}.value" for p in graph.predecessors(node)] or ["src.value"]
        assert spec[f"n{node}"]["depends"] == expected


def test_every_specification_is_new():
    workload = Workload(nodes=12, kernel="busy", duration=1e-6)
    before = json.dumps(workload.to_spec())
    spec = workload.to_spec()
    Tube.from_specification(spec)
    spec["nodes"]["n3"]["params"]["node"] = -1
    spec["nodes"]["n3"]["depends"].clear()
    assert json.dumps(workload.to_spec()) == before


def test_to_tube_loads_the_class_that_it_is_given():
    class Other(Tube):
        pass

    assert type(Workload(nodes=3).to_tube(Other)) is Other


@pytest.mark.parametrize("kernel", KERNELS)
def test_yaml_is_the_same_tube(kernel, tmp_path):
    workload = workload_with(kernel)
    path = tmp_path / "tube.yaml"
    path.write_text(workload.to_yaml(), encoding="utf-8")
    tube = Tube.from_specification(path)
    expected = workload.to_tube()
    assert tube.spec.model_dump() == expected.spec.model_dump()
    assert results(tube) == reference(workload, EPOCHS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["tube.yaml"]


@given(duration=st.floats(0, 1e9))
def test_yaml_keeps_every_duration(duration):
    workload = Workload(nodes=2, kernel="wait", duration=duration, imbalance=0.5)
    read = yaml.load(workload.to_yaml())["nodes"]
    assert [read[f"n{i}"]["params"]["seconds"] for i in range(2)] == workload.durations().tolist()


def test_noob_runs_the_yaml(tmp_path):
    workload = Workload(nodes=20, width=5)
    path = tmp_path / "tube.yaml"
    path.write_text(workload.to_yaml(), encoding="utf-8")
    ran = CliRunner().invoke(main, ["run", str(path), "-n", str(EPOCHS)])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout) == reference(workload, EPOCHS)


@given(
    nodes=st.integers(1, 300),
    duration=st.floats(1e-6, 10),
    imbalance=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
def test_imbalance_keeps_the_mean_and_its_bounds(nodes, duration, imbalance, seed):
    workload = Workload(
        pattern="trivial",
        nodes=nodes,
        kernel="busy",
        duration=duration,
        imbalance=imbalance,
        seed=seed,
    )
    seconds = workload.durations()
    assert seconds.shape == (nodes,)
    assert seconds.mean() == pytest.approx(duration)
    assert (abs(seconds / duration - 1) <= imbalance / 2 + 1e-12).all()
    assert np.unique(seconds).size == (1 if imbalance == 0 else nodes) or imbalance < 1e-9
    assert seconds.tolist() == workload.durations().tolist()


def test_imbalance_depends_on_the_seed():
    workload = Workload(kernel="busy", duration=1.0, imbalance=1.0)
    assert workload.durations().tolist() != replace(workload, seed=1).durations().tolist()


def test_recorded_durations_are_scaled_to_the_mean():
    workload = workload_of("wfformat", kernel="wait", duration=0.7)
    assert workload.durations().tolist() == pytest.approx([0.4, 0.8, 0.0, 1.6])


def test_a_graph_is_made_once():
    assert Workload(nodes=77).graph() is Workload(nodes=77).graph()


def test_a_workload_is_a_frozen_value():
    workload = Workload()
    assert pickle.loads(pickle.dumps(workload)) == workload
    assert {workload, Workload(), replace(workload, nodes=5)} == {workload, Workload(nodes=5)}
    with pytest.raises(FrozenInstanceError):
        workload.nodes = 5


@pytest.mark.parametrize("name", ["nodes", "width", "fan_in", "jump", "output_bytes", "seed"])
@pytest.mark.parametrize("value", [-1, 2.0, "3", True, None, 2**31])
def test_sizes_must_be_integers_in_range(name, value):
    with pytest.raises(InvalidWorkloadError, match=rf"{name} must be an integer from .* not"):
        Workload(**{name: value})


@pytest.mark.parametrize("name", ["nodes", "width", "fan_in", "jump", "output_bytes"])
def test_sizes_must_not_be_zero(name):
    with pytest.raises(InvalidWorkloadError, match=rf"{name} must be an integer from .* not 0"):
        Workload(**{name: 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": -1.0}, "duration must be a number from 0 to any finite one, not -1.0"),
        ({"duration": float("nan")}, "duration must be"),
        ({"duration": float("inf")}, "duration must be"),
        ({"duration": "1"}, "duration must be"),
        ({"imbalance": 2.5}, "imbalance must be a number from 0 to 2, not 2.5"),
        ({"density": 0.0}, "density must be more than 0"),
        ({"density": 1.5}, "density must be a number from 0 to 1, not 1.5"),
        ({"duration": 0.1}, "kernel 'noop' never works"),
        ({"kernel": "busy", "output_bytes": 16}, "output_bytes 16 needs kernel 'payload'"),
        ({"pattern": "wfformat"}, "source None with pattern 'wfformat'"),
        ({"source": "some.json"}, "source 'some.json' with pattern 'random_layered'"),
        ({"pattern": "wfformat", "source": "s", "imbalance": 1.0}, "imbalance must be 0"),
    ],
)
def test_values_and_combinations_that_are_refused(options, message):
    with pytest.raises(InvalidWorkloadError, match=message):
        Workload(**options)


def test_unknown_names_are_refused_with_the_list():
    with pytest.raises(UnknownPatternError, match=r"'spiral'; known are: random_layered, trivial"):
        Workload(pattern="spiral")
    with pytest.raises(UnknownKernelError, match=r"'sleep'; known are: noop, busy, compute"):
        Workload(kernel="sleep")
    assert issubclass(UnknownPatternError, (WorkloadError, ValueError))


@pytest.mark.parametrize("entry", [*PATTERNS.values(), *KERNELS.values()])
def test_everything_that_can_be_listed_is_described_in_a_line(entry):
    assert entry.description
    assert "\n" not in entry.description
