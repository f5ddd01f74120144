"""The contract suite is sound: NOOB's own runner passes it, and runners that are wrong do not."""

from __future__ import annotations

import math
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from copy import deepcopy

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from noob import Epoch, MetaSignal, SynchronousRunner, Tube
from noob.asset import AssetScope
from noob.event import EventMaker

from noob_runners import testing
from noob_runners.testing import (
    Case,
    RunnerContract,
    assets,
    cases,
    classes,
    differences,
    equal,
    nodes,
    observe,
    tube_cases,
    tube_specs,
)
from noob_runners.testing.contract import WAYS, Subject, reference
from noob_runners.testing.limits import HangError, batch_limit, time_limit
from noob_runners.testing.spec import node, tube


class TestStock(RunnerContract):
    @pytest.fixture
    def runner_class(self):
        return SynchronousRunner

    @pytest.fixture
    def reusable_after_error(self):
        return False  # NOOB's runner spins in the epoch that an exception left unfinished


# --- runners that are wrong in one way each


class DropsAnEvent(SynchronousRunner):
    def _call_callbacks(self, events):
        super()._call_callbacks([e for e in events or () if e["node_id"] != "a"])


class RepeatsAnEvent(SynchronousRunner):
    def _call_callbacks(self, events):
        super()._call_callbacks([*(events or ()), *(e for e in events if e["node_id"] == "a")])


class DropsMetaEvents(SynchronousRunner):
    def _call_callbacks(self, events):
        super()._call_callbacks([e for e in events or () if e["node_id"] != "meta"])


class CallsBackInReverse(SynchronousRunner):
    def _before_process(self):
        super()._before_process()
        self.held = []

    def _call_callbacks(self, events):
        self.held.extend(events or ())

    def _after_process(self):
        super()._call_callbacks(self.held[::-1])


class SwallowsCallbackErrors(SynchronousRunner):
    def _call_callbacks(self, events):
        with suppress(LookupError):
            super()._call_callbacks(events)


class RunsSubepochsInReverse(SynchronousRunner):
    def _filter_ready(self, nodes, scheduler):
        return super()._filter_ready(nodes, scheduler)[::-1]


class StoresAnotherValue(SynchronousRunner):
    def _after_process(self):
        for event in self.store.flat_events:
            if event["value"] == 1:
                event["value"] = True


class NeverClearsTheStore(SynchronousRunner):
    def _before_process(self):
        if not self.running:
            self.init()


class ReturnsAList(SynchronousRunner):
    def collect_return(self, epoch=None):
        value = super().collect_return(epoch)
        return list(value) if isinstance(value, tuple) else value


class PassesNoneForSilence(SynchronousRunner):
    def _collect_input(self, node, epoch, *given):
        args, kwargs = super()._collect_input(node, epoch, *given)
        missing = {e.target_slot for e in node.edges if isinstance(e.target_slot, str)}
        return args, {**dict.fromkeys(missing - {"events"}), **kwargs}


class WrapsExceptions(SynchronousRunner):
    def _call_node(self, node, *args, **kwargs):
        try:
            return super()._call_node(node, *args, **kwargs)
        except ValueError as error:
            raise RuntimeError(str(error)) from error


class ForgetsDeinit(SynchronousRunner):
    def deinit(self):
        self._running.clear()


class ForgetsProcessAssets(SynchronousRunner):
    @contextmanager
    def _asset_context(self, scope, edges=None):
        if scope is AssetScope.process:
            yield
            return
        with super()._asset_context(scope, edges):
            yield


class IgnoresInputs(SynchronousRunner):
    def _validate_input(self, **kwargs):
        return kwargs


class IgnoresToggles(SynchronousRunner):
    def disable_node(self, node_id):
        pass


class StartsEpochsAnew(SynchronousRunner):
    def _after_process(self):
        self.tube.scheduler.clear()


class LeavesIterOpen(SynchronousRunner):
    def iter(self, n=None):
        self.init()
        while n is None or n > 0:
            yield self.process()
            n = None if n is None else n - 1


class SharesItsNodes(SynchronousRunner):
    _known = {}  # noqa: RUF012 - the fault under test

    def _get_node(self, node_id):
        return self._known.setdefault(node_id, super()._get_node(node_id))


class Spins(SynchronousRunner):
    def process(self, **kwargs):
        while True:
            time.sleep(0.001)


CONTRACT = RunnerContract()


def subject(runner_class, limit_s=30.0):
    return Subject(runner_class, Tube, lifecycle=True, limit_s=limit_s)


@pytest.mark.parametrize(
    ("runner_class", "case"),
    [
        (DropsAnEvent, "keyword_slots"),
        (RepeatsAnEvent, "keyword_slots"),
        (DropsMetaEvents, "keyword_slots"),
        (CallsBackInReverse, "diamonds"),
        (RunsSubepochsInReverse, "states_in_subepochs"),
        (StoresAnotherValue, "keyword_slots"),
        (NeverClearsTheStore, "silence_stops_a_chain"),
        (ReturnsAList, "builtin_types"),
        (PassesNoneForSilence, "events_injected"),
        (WrapsExceptions, "function_raises"),
        (ForgetsDeinit, "class_nodes"),
        (ForgetsProcessAssets, "process_assets"),
        (IgnoresInputs, "process_input_nobody_asked_for"),
        (IgnoresToggles, "nodes_disabled_and_enabled_between_epochs"),
        (StartsEpochsAnew, "epoch_injected"),
    ],
)
def test_a_wrong_runner_fails_a_case(runner_class, case):
    with pytest.raises(AssertionError, match="unlike SynchronousRunner"):
        CONTRACT.test_case(subject(runner_class), case, "process")


@pytest.mark.parametrize(
    ("runner_class", "script"),
    [
        (LeavesIterOpen, "iter_closed_early"),
        (ForgetsDeinit, "deinit_twice"),
        (DropsMetaEvents, "two_callbacks"),
        (SwallowsCallbackErrors, "callback_raises"),
        (NeverClearsTheStore, "store_is_read"),
        (IgnoresToggles, "toggled_twice"),
        (StartsEpochsAnew, "restarted_after_the_end"),
    ],
)
def test_a_wrong_runner_fails_a_script(runner_class, script):
    with pytest.raises(AssertionError):
        CONTRACT.test_script(subject(runner_class), script)


def test_a_runner_that_shares_state_fails_side_by_side():
    with pytest.raises(AssertionError):
        CONTRACT.test_same_tube_loaded_twice(subject(SharesItsNodes))


def test_a_runner_that_hangs_is_stopped():
    with pytest.raises(HangError, match="not finished"):
        CONTRACT.test_case(subject(Spins, limit_s=0.05), "keyword_slots", "process")
    with pytest.raises(HangError, match="has not ended"):
        CONTRACT.test_in_a_thread(subject(Spins, limit_s=0.05), "coroutines")


def test_a_runner_that_hangs_after_an_exception_is_stopped():
    with pytest.raises(HangError):
        CONTRACT.test_after_an_exception(
            subject(SynchronousRunner, limit_s=0.3), "function_raises", reusable_after_error=True
        )


@pytest.mark.parametrize(
    "runner_class", [StartsEpochsAnew, PassesNoneForSilence, RunsSubepochsInReverse]
)
def test_random_tubes_find_a_wrong_runner(runner_class):
    wrong = subject(runner_class)

    # without shrinking: whether it is found is the question, not in how small a tube
    @settings(
        max_examples=300, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
    )
    @given(case=tube_cases(), way=st.sampled_from(list(WAYS)))
    def search(case, way):
        RunnerContract.test_random_tubes.hypothesis.inner_test(CONTRACT, wrong, case, way)

    with pytest.raises(AssertionError, match="unlike SynchronousRunner"):
        search()


# --- the tubes


def test_random_tubes_have_every_feature():
    found = Counter()

    @settings(
        max_examples=300, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
    )
    @given(tube_specs())
    def collect(spec):
        found.update({entry["type"].rpartition(".")[2] for entry in spec["nodes"].values()})
        found.update({f"{entry['scope']} asset" for entry in spec.get("assets", {}).values()})
        found.update({f"{entry['scope']} input" for entry in spec.get("input", {}).values()})
        found["disabled"] += any("enabled" in entry for entry in spec["nodes"].values())
        found["stored"] += any("depends" in entry for entry in spec.get("assets", {}).values())
        found["loaded"] += 1
        Tube.from_specification(spec)  # every one is valid

    collect()
    special = {"map", "gather", "return", "tube", "disabled", "stored"}
    scopes = {f"{scope} asset" for scope in ("runner", "process", "node")}
    scopes |= {"tube input", "process input"}
    ordinary = {"count", "sometimes", "mix", "async_mix", "optional", "sieve", "route", "trace"}
    ordinary |= {"Tally", "Plain", "Decorated", "Envelope", "Envelopes", "Fan", "AsyncTally"}
    assert found["loaded"] == 300
    assert not {name for name in special | scopes | ordinary if not found[name]}


def test_case_names_are_unique():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)


def test_observing_leaves_a_case_as_it_is():
    for case in cases():
        before = deepcopy(case)
        reference(case)
        assert case == before


@pytest.mark.parametrize("module", [nodes, classes, assets])
def test_nodes_can_be_sent_to_other_processes(module):
    public = [
        value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    assert public
    for value in public:
        assert pickle.loads(pickle.dumps(value)) is value


def test_importing_nodes_does_not_import_the_test_tools():
    code = (
        "import sys, noob_runners.testing.classes, noob_runners.testing.assets\n"
        "print(sorted({'pytest', 'hypothesis'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_unknown_public_names_are_refused_with_the_list():
    with pytest.raises(AttributeError, match="RunnerContract"):
        testing.nowhere  # noqa: B018 - the access is what is tested


# --- the comparison

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from([*MetaSignal]),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
        | st.builds(assets.Box, inner)
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(VALUES)
def test_a_copy_is_equal(value):
    assert equal(value, deepcopy(value))
    assert not equal(value, [value])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        ([1], (1,)),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        (math.nan, 1.0),
        (MetaSignal.NoEvent, str(MetaSignal.NoEvent)),
        (MetaSignal.NoEvent, MetaSignal.Exhausted),
        (assets.Box(1), assets.Box(2)),
        (ValueError("one"), ValueError("two")),
        (Epoch(1), Epoch(2)),
        (b"a", bytearray(b"a")),
    ],
)
def test_different_values_are_not_equal(left, right):
    assert not equal(left, right)
    assert not equal({"within": [left]}, {"within": [right]})


def test_events_are_equal_but_for_their_stamps():
    one, other = (EventMaker().new_event(3, Epoch(0), node_id="a") for _ in range(2))
    assert one["id"] != other["id"]
    assert equal([one], [other])
    assert not equal([one], [{**other, "value": 4}])


def test_cycles_are_compared():
    one, other = [1], [1]
    one.append(one)
    other.append(other)
    assert equal(one, other)
    other.append(2)
    assert not equal(one, other)


def test_arrays_are_compared_by_type_shape_and_content():
    numpy = pytest.importorskip("numpy")
    array = numpy.array([[1.0, math.nan]])
    assert equal(array, array.copy())
    assert not equal(array, array.reshape(2, 1))
    assert not equal(array, array.astype("f4"))
    assert not equal(array, numpy.array([[2.0, math.nan]]))


def test_a_foreign_order_is_fine_where_no_dependency_decides_it():
    case = Case(
        "fork",
        tube(
            s=node("nodes.count"),
            a=node("nodes.mix", "s.value"),
            b=node("nodes.mix", "s.value"),
            c=node("nodes.mix", "a.value"),
        ),
    )
    expected, observed = reference(case), reference(case)
    events = observed.periods[0].events
    at = {event.node: index for index, event in enumerate(events)}
    events[at["a"]], events[at["b"]] = events[at["b"]], events[at["a"]]
    assert not differences(expected, observed)
    at = {event.node: index for index, event in enumerate(events)}
    events[at["a"]], events[at["c"]] = events[at["c"]], events[at["a"]]
    assert len(differences(expected, observed)) == 1


# --- the limits


def test_a_tube_that_never_ends_is_found_out():
    short = Case(
        "short",
        tube(
            s=node("nodes.count"),
            a=node("nodes.curt", "s.value"),
            b=node("nodes.mix", "a.high"),
        ),
    )
    with pytest.raises(HangError, match="spins"), batch_limit():
        observe(SynchronousRunner, short)


def test_a_limit_gives_back_the_alarm_that_was_set():
    def ring(*_):
        raise AssertionError

    handler = signal.signal(signal.SIGALRM, ring)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, 50)
    try:
        with pytest.raises(HangError), time_limit(0.01):
            time.sleep(5)
        assert signal.getsignal(signal.SIGALRM) is ring
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, remaining)
