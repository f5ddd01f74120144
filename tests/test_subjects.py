"""Every implementation that the component lab measures: right results pass, wrong ones do not."""

from __future__ import annotations

import gc
from multiprocessing import resource_tracker

import numpy as np
import psutil
import pytest

from noob_perf.errors import UnsupportedError
from noob_perf.experiments.components import QUESTIONS, core
from noob_perf.experiments.components import scheduler as scheduler_question
from noob_perf.experiments.components.bench import Findings
from noob_perf.experiments.components.headlines import judge_claims
from noob_perf.experiments.components.scale import Scale
from noob_perf.measure import subject
from noob_perf.measure.protocol import Measure, Prepare, Stop
from noob_perf.measure.subject import Case, Operation, WrongResultError
from noob_perf.measure.subjects import buffers, schedulers, serializers, stores
from noob_perf.results import Outcome, Quantity, Timing, Verdict

TINY = Scale(
    small_graphs=(20,),
    graphs=(30, 60),
    single_events=(20,),
    batched_events=(25,),
    tables=(3,),
    megabyte_rows=4,
    items=15,
    records=7,
    array_bytes=4_096,
    buffers=(65_536,),
    held=(65_536, 65_544),
    mixed_bytes=2**20,
)


@pytest.fixture(autouse=True)
def _nothing_left():
    """In a cell the tracker of shared memory ends with the process; here that is the tests' own."""
    yield
    resource_tracker._resource_tracker._stop()
    assert not psutil.Process().children(recursive=True)


class Recorder:
    """A bench that measures nothing, and keeps what it was asked for."""

    scale = TINY
    question = None

    def __init__(self):
        self.asked = []

    def measure(self, case, entries):
        self.asked += [(self.question, entry, case) for entry in entries]

    measure_cold = measure


def asked(monkeypatch):
    monkeypatch.setattr(scheduler_question, "measure_core", lambda *_: None)
    recorder = Recorder()
    for question in QUESTIONS.values():
        recorder.question = question
        question.measure(recorder)
    return recorder.asked


def test_every_operation_is_right_and_every_claim_is_judged_by_them(monkeypatch):
    monkeypatch.setattr(subject, "_LEAST_S", 0.0)
    monkeypatch.setattr(gc, "collect", lambda: 0)  # of the tests' own heap, a hundred times over
    monkeypatch.setattr(buffers, "_HELD_BYTES", 2**20)
    done, refused, timings = set(), {}, {name: [] for name in QUESTIONS}
    for question, entry, case in asked(monkeypatch):
        module, _, name = entry.target.rpartition(".")[2].partition(":")
        kind = getattr({m.__name__.rpartition(".")[2]: m for m in MODULES}[module], name)
        try:
            measured = kind(case, None)
        except UnsupportedError as error:
            refused[module, name, case.kind] = str(error)
            continue
        try:
            for operation, reason in measured.answer(Prepare()).operations.items():
                if reason:
                    assert " has no " in reason
                    continue
                reply = measured.answer(Measure(operation))
                assert reply.fault == "", (entry.name, case, operation)
                assert reply.value > -0.002
                done.add((module, name, operation))
                timings[question.name].append(
                    Timing(
                        entry.name, operation, case.kind, case.size,
                        question.quantities.get(operation, Quantity.SECONDS), Outcome.SUCCESS, "",
                        (max(reply.value, 1e-9),) * 6, reply.produced_bytes,
                    )
                )  # fmt: skip
        finally:
            measured.answer(Stop())
    assert refused == {
        ("serializers", name, serializers.ARRAY): getattr(serializers, name).no_arrays
        for name in ("Marshal", "Msgspec", "Ormsgpack")
    }
    assert "does not give arrays back" in refused["serializers", "Ormsgpack", serializers.ARRAY]
    found = {
        name: Findings(timings[name], TINY, question.quantities)
        for name, question in QUESTIONS.items()
    }
    unmeasured = [h for h in judge_claims(TINY, found) if h.verdict is Verdict.NOT_MEASURED]
    assert [h.claim for h in unmeasured] == ["a decision under 100 ns"]  # not from Python
    for name, question in QUESTIONS.items():
        for target in question.targets(found[name]):
            assert target.figure.estimate or core.CORE in target.figure.reason, target
    for name in ("Native", "Twin", "NoobCore", "Graphlib", "Rustworkx", "Networkx"):
        assert ("schedulers", name, schedulers.EPOCH) in done
    for name in ("Noob", "Dict"):
        assert {op for m, n, op in done if (m, n) == ("stores", name)} == {
            stores.ADD, stores.GET_FIRST, stores.GET_AGAIN, stores.ADD_MANY, stores.GET_MANY,
            stores.MEMORY,
        }  # fmt: skip
    for name in ("Pickle", "Cloudpickle", "Marshal", "Msgspec", "Ormsgpack"):
        assert ("serializers", name, serializers.ROUND_TRIP) in done
    assert ("serializers", "Pickle", serializers.OUT_OF_BAND) in done
    assert ("buffers", "Shared", buffers.OVERHEAD) in done
    assert ("buffers", "Copied", buffers.CYCLE) in done
    assert ("buffers", "Reused", buffers.CYCLE) in done


MODULES = (schedulers, stores, serializers, buffers)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda generations: generations[::-1],
        lambda generations: generations[:-1],
        lambda generations: [*generations[:-1], generations[-1][:-1]],
        lambda generations: [*generations[:-1], [*generations[-1], generations[0][0]]],
        lambda generations: [[node for ready in generations for node in ready]],
    ],
)
def test_a_wrong_generation_is_noticed(spoil):
    measured = schedulers.Graphlib(Case("graph", 300))
    epoch = measured.prepare()[schedulers.EPOCH]
    generations = epoch.run(epoch.setup())
    epoch.check(generations)
    with pytest.raises(WrongResultError, match="generation"):
        epoch.check(spoil(generations))


def test_a_wrong_event_is_noticed():
    measured = stores.Dict(Case(stores.BATCH, 20))
    get = measured.prepare()[stores.GET_MANY]
    values = get.run(get.setup())
    get.check(values)
    for wrong in ([], [values[0][:-1]], [[*values[0][:-1], -1]], [values[0][::-1]]):
        with pytest.raises(WrongResultError):
            get.check(wrong)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: {**table, "key0": {**table["key0"], "id": 0.0}},  # equal, of another type
        lambda table: {**table, "key0": {**table["key0"], "ok": 1}},
        lambda table: {**table, "key0": {**table["key0"], "vals": (1.0,)}},
        lambda table: dict(list(table.items())[1:]),
    ],
)
def test_a_value_that_comes_back_otherwise_is_noticed(spoil):
    measured = serializers.Pickle(Case(serializers.TABLE, 3))
    decode = measured.prepare()[serializers.DECODE]
    with pytest.raises(WrongResultError):
        decode.check(spoil(decode.run(decode.setup())))
    decode.check(measured.value)


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros(5, np.float32), [0.0] * 5, None])
def test_an_array_that_comes_back_otherwise_is_noticed(wrong):
    measured = serializers.Pickle(Case(serializers.ARRAY, 40))
    decode = measured.prepare()[serializers.DECODE]
    decode.check(np.array(measured.value))
    with pytest.raises(WrongResultError):
        decode.check(wrong)


def test_a_buffer_with_other_bytes_is_noticed(monkeypatch):
    monkeypatch.setattr(
        buffers.Copied, "open", lambda _self, sent: (None, np.zeros_like(sent)), raising=True
    )
    measured = buffers.Copied(Case("buffer", 64))
    measured.answer(Prepare())
    try:
        assert measured.answer(Measure(buffers.CYCLE)).fault.startswith("wrong result: what the")
    finally:
        measured.answer(Stop())


def test_what_the_reader_raises_is_told(monkeypatch):
    def fail(_self, _sent):
        raise MemoryError("no room")

    monkeypatch.setattr(buffers.Copied, "open", fail)
    measured = buffers.Copied(Case("buffer", 64))
    measured.answer(Prepare())
    try:
        fault = measured.answer(Measure(buffers.VIEW)).fault
        assert fault == "RuntimeError: in the reader: MemoryError: no room"
    finally:
        measured.answer(Stop())


def test_memory_that_is_not_found_is_no_small_overhead():
    held = buffers.Shared(Case("buffer", 64))
    held.check_held(0.9981)
    for share in (0.1, 0.997):
        with pytest.raises(WrongResultError, match=f"only {share:.1%}"):
            held.check_held(share)


def test_buffers_of_a_mix_are_the_same_every_time_and_within_its_range():
    case = Case(buffers.MIX, 64 * 2**20)
    sizes = buffers.sizes_of(case)
    assert sizes == buffers.sizes_of(case)
    assert sum(sizes) - sizes[-1] < case.size <= sum(sizes)
    assert all(64 * 2**10 <= size <= 16 * 2**20 for size in sizes)
    assert len(set(sizes)) == len(sizes)


def test_rows_of_a_table_of_distinct_objects_share_none_of_their_keys():
    table = serializers.make_value(serializers.DISTINCT, 2)
    assert table == serializers.make_value(serializers.TABLE, 2)
    first, second = table.values()
    assert first["s"] is not second["s"]
    assert {id(key) for key in first if len(key) > 1}.isdisjoint(map(id, second))


def test_tables_of_a_batch_are_different():
    batch = serializers.make_value(serializers.BATCH, 2)
    assert len(batch) == 8
    assert len({repr(table) for table in batch}) == 8


def test_a_debug_build_is_not_measured(monkeypatch):
    monkeypatch.setattr("noob_fast.BUILD", "debug")
    with pytest.raises(UnsupportedError, match="debug"):
        schedulers.Native(Case("graph", 3))


def test_a_component_that_is_not_there_is_named():
    with pytest.raises(UnsupportedError, match="noob_fast has no FastNothing"):
        subject.native("FastNothing")
    with pytest.raises(UnsupportedError, match=r"nothing_py has no FastNothing"):
        subject.twin("nothing_py", "FastNothing")


def test_a_short_operation_is_done_until_a_clock_can_tell(monkeypatch):
    calls = []
    operation = Operation(lambda _: calls.append(1), lambda _: None)
    monkeypatch.setattr(subject, "_MOST_S", 60.0)
    assert subject._measure(operation).value > 0
    assert len(calls) > 1
    calls.clear()
    subject._measure(Operation(lambda _: calls.append(1), lambda _: None, once=True))
    assert calls == [1]
