"""The contract: a runner gives what NOOB's SynchronousRunner gives on a stock Tube.

An implementation's whole test is a class that names it::

    class TestMyRunner(RunnerContract):
        @pytest.fixture
        def runner_class(self):
            return MyRunner
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from noob import SynchronousRunner, Tube

from noob_runners.testing.comparison import differences
from noob_runners.testing.equality import equal
from noob_runners.testing.features import cases
from noob_runners.testing.limits import HangError, batch_limit, time_limit
from noob_runners.testing.observation import Mode, Observation, Raised, load, observe, watch
from noob_runners.testing.scripts import attempt, perform, scripts
from noob_runners.testing.spec import Case, node, tube
from noob_runners.testing.tubes import tube_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob.runner import TubeRunner

WAYS: dict[str, tuple[Mode, bool]] = {
    "process": ("process", True),
    "process_without_callbacks": ("process", False),
    "run": ("run", True),
    "iter": ("iter", False),
}
"""The ways to run a case: by which method, and whether a callback watches."""

_CASES = {case.name: case for case in cases()}
_CONCURRENT = ["states_in_subepochs", "coroutines", "gather_n_as_a_slot", "runner_assets"]
_RAISING = ["function_raises", "coroutine_raises", "source_raises", "call_in_a_subepoch_raises"]


@dataclass(frozen=True)
class Subject:
    """The runner under test and what is asked of it."""

    make_runner: Callable[[Tube], TubeRunner]
    tube_class: type[Tube]
    lifecycle: bool
    """Whether init and deinit of nodes and assets are compared."""
    limit_s: float
    """After how many seconds a run counts as hanging."""

    def load(self, case: Case) -> TubeRunner:
        """A runner of a case's tube."""
        return self.make_runner(load(case, self.tube_class))

    def observe(self, case: Case, mode: Mode = "process", *, callbacks: bool = True) -> Observation:
        """Run a case on the runner under test."""
        with time_limit(self.limit_s), batch_limit():
            return observe(
                self.make_runner, case, tube_class=self.tube_class, mode=mode, callbacks=callbacks
            )

    def check(self, case: Case, mode: Mode = "process", *, callbacks: bool = True) -> None:
        """Run a case on both runners and compare."""
        self.compare(reference(case, mode, callbacks=callbacks), case, mode, callbacks=callbacks)

    def compare(
        self, expected: Observation, case: Case, mode: Mode = "process", *, callbacks: bool = True
    ) -> None:
        """Run a case on the runner under test and compare with what was expected."""
        self.require_equal(expected, self.observe(case, mode, callbacks=callbacks))

    def require_equal(self, expected: Observation, observed: Observation) -> None:
        """Fail with all differences, if there are any."""
        found = differences(expected, observed, lifecycle=self.lifecycle)
        assert not found, "unlike SynchronousRunner:\n" + "\n".join(found)


def reference(case: Case, mode: Mode = "process", *, callbacks: bool = True) -> Observation:
    """What NOOB's own runner makes of a case on a stock tube.

    Raises:
        HangError: when it would never finish
    """
    with batch_limit():
        return observe(SynchronousRunner, case, mode=mode, callbacks=callbacks)


class RunnerContract:
    """Inherit, override :meth:`runner_class`, and what differs among the other fixtures."""

    @pytest.fixture
    def runner_class(self) -> type[TubeRunner]:
        """The runner under test."""
        pytest.fail("override the fixture runner_class: it names the runner under test")

    @pytest.fixture
    def tube_class(self) -> type[Tube]:
        """What loads the tubes of the runner under test."""
        return Tube

    @pytest.fixture
    def make_runner(self, runner_class: type[TubeRunner]) -> Callable[[Tube], TubeRunner]:
        """Makes a runner of a tube; override it to give the runner options."""
        return runner_class

    @pytest.fixture
    def nodes_are_local(self) -> bool:
        """Capability: all nodes and assets live in this process, where their journal is."""
        return True

    @pytest.fixture
    def reusable_after_error(self) -> bool:
        """Capability: after an exception the next ``process()`` returns or says what is wrong."""
        return True

    @pytest.fixture
    def limit_s(self) -> float:
        """After how many seconds the run of one case counts as hanging."""
        return 30.0

    @pytest.fixture
    def subject(
        self,
        make_runner: Callable[[Tube], TubeRunner],
        tube_class: type[Tube],
        nodes_are_local: bool,  # noqa: FBT001 - a fixture
        limit_s: float,
    ) -> Subject:
        """All of the above in one; not meant to be overridden."""
        return Subject(make_runner, tube_class, lifecycle=nodes_are_local, limit_s=limit_s)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("name", _CASES)
    def test_case(self, subject: Subject, name: str, way: str) -> None:
        """Every named case, run in every way."""
        mode, callbacks = WAYS[way]
        subject.check(_CASES[name], mode, callbacks=callbacks)

    @settings(
        max_examples=120,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # the fixtures hold classes, no state
            HealthCheck.differing_executors,  # a contract is there to be inherited
            HealthCheck.too_slow,  # loading and running a tube takes milliseconds
        ],
    )
    @given(case=tube_cases(), way=st.sampled_from(list(WAYS)))
    def test_random_tubes(self, subject: Subject, case: Case, way: str) -> None:
        """Random tubes of all features."""
        mode, callbacks = WAYS[way]
        try:
            expected = reference(case, mode, callbacks=callbacks)
        except HangError:
            reject()
        subject.compare(expected, case, mode, callbacks=callbacks)

    @pytest.mark.parametrize("name", scripts())
    def test_script(self, subject: Subject, name: str) -> None:
        """What else a user may do with a runner."""
        script = scripts()[name]
        with batch_limit():
            expected, journaled = perform(script, SynchronousRunner)
        with time_limit(subject.limit_s):
            observed, entries = perform(script, subject.make_runner, subject.tube_class)
        assert equal(observed, expected), f"{observed!r} instead of {expected!r}"
        if subject.lifecycle:
            assert entries == journaled

    def test_side_by_side(self, subject: Subject) -> None:
        """Two runners take turns, each on a tube of its own."""
        pair = [_CASES["states_in_subepochs"], _CASES["runner_assets"]]
        expected = [[p.outcome for p in reference(case).periods] for case in pair]
        with time_limit(subject.limit_s):
            runners = [subject.load(case) for case in pair]
            observed = [[attempt(runner.process) for runner in runners] for _ in range(4)]
            for runner in runners:
                runner.deinit()
        assert equal([list(values) for values in zip(*observed, strict=True)], expected)

    def test_same_tube_loaded_twice(self, subject: Subject) -> None:
        """Two tubes of one specification share nothing."""
        case = _CASES["class_nodes"]
        expected = [p.outcome for p in reference(case).periods]
        with time_limit(subject.limit_s):
            runners = [subject.load(case) for _ in range(2)]
            observed = [[attempt(runner.process) for _ in range(4)] for runner in runners]
            for runner in runners:
                runner.deinit()
        assert equal(observed, [expected, expected])

    @pytest.mark.parametrize("name", _CONCURRENT)
    def test_in_a_thread(self, subject: Subject, name: str) -> None:
        """The runner lives in a thread that is not the main one."""
        [observed] = _in_threads(subject.limit_s, lambda: subject.observe(_CASES[name]))
        subject.require_equal(reference(_CASES[name]), observed)

    def test_in_two_threads(self, subject: Subject) -> None:
        """Two runners at once, each in a thread of its own."""
        pair = [_CASES["states_in_subepochs"], _CASES["coroutines"]]
        expected = [[p.outcome for p in reference(case).periods] for case in pair]

        def drive(case: Case) -> list[Any]:
            with subject.load(case) as runner:
                return [attempt(runner.process) for _ in range(case.epochs)]

        observed = _in_threads(subject.limit_s, *(lambda case=case: drive(case) for case in pair))
        assert equal(observed, expected)

    @pytest.mark.parametrize("name", [*_CONCURRENT, "coroutine_raises"])
    def test_in_a_running_event_loop(self, subject: Subject, name: str) -> None:
        """The runner is called by a coroutine, and its nodes may be coroutines too."""

        async def call() -> Observation:
            return subject.observe(_CASES[name])

        subject.require_equal(reference(_CASES[name]), asyncio.run(call()))

    def test_events_before_an_exception(self, subject: Subject) -> None:
        """A callback has seen what happened before a node raised, and nothing after it."""
        chain = Case(
            "chain",
            tube(
                s=node("nodes.count"),
                a=node("nodes.mix", "s.value"),
                b=node("nodes.refuse", "s.value", "a.value", params={"modulus": 1}),
                c=node("nodes.mix", "b.value"),
            ),
        )
        runner = subject.load(chain)
        seen = watch(runner)
        with time_limit(subject.limit_s):
            assert isinstance(attempt(runner.process), Raised)
            runner.deinit()
        assert [event.node for event in seen if event.node != "meta"] == ["s", "a"]

    @pytest.mark.parametrize("name", _RAISING)
    def test_after_an_exception(
        self,
        subject: Subject,
        name: str,
        reusable_after_error: bool,  # noqa: FBT001 - a fixture
    ) -> None:
        """After an exception a new runner works, and the old one does not hang."""
        case = _CASES[name]
        runner = subject.load(case)
        with time_limit(subject.limit_s):
            outcomes = [attempt(runner.process)]
            while not isinstance(outcomes[-1], Raised) and len(outcomes) < case.epochs:
                outcomes.append(attempt(runner.process))
            assert isinstance(outcomes[-1], Raised)
            if reusable_after_error:
                again = attempt(runner.process)
                assert not isinstance(again, Raised) or again.message
            runner.deinit()
        assert not runner.running
        subject.check(case)
        subject.check(_CASES["class_nodes"])


def _in_threads(limit_s: float, *calls: Callable[[], Any]) -> list[Any]:
    """The results of calls that run at the same time, each in a thread.

    Raises:
        HangError: when one has not ended after ``limit_s`` seconds
    """
    results: list[Any] = [None] * len(calls)

    def run(at: int) -> None:
        results[at] = attempt(calls[at])

    # as daemons: a thread that hangs must not keep the test run from ending
    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(limit_s)
        if thread.is_alive():
            raise HangError(f"the thread has not ended after {limit_s} s")
    for result in results:
        assert not isinstance(result, Raised), f"the thread ended in {result}"
    return results
