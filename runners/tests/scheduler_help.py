"""Schedulers to be compared: both implementations, and one beside the other asked the same."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, reject
from hypothesis import strategies as st
from noob_core import Epoch, Scheduler

from noob_runners.components import scheduler_py

if TYPE_CHECKING:
    from noob_runners.testing.graphs import SchedulerGraph, Use


def native() -> Any:
    """noob_fast's FastScheduler, or the reason why it is not tested."""
    try:
        return importlib.import_module("noob_fast").FastScheduler
    except (ImportError, AttributeError) as error:
        return pytest.param(None, id="native", marks=pytest.mark.skip(reason=str(error)))


IMPLEMENTATIONS = [pytest.param(scheduler_py.FastScheduler, id="python")]
_native = native()
IMPLEMENTATIONS.append(_native if hasattr(_native, "marks") else pytest.param(_native, id="native"))

every_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
randoms = st.randoms(use_true_random=False)
slowly = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def outcome(scheduler: Any, method: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """What a call returned, or the type of what it raised."""
    try:
        return "returned", getattr(scheduler, method)(*arguments)
    except Exception as error:  # noqa: BLE001  # any exception is an answer to compare
        return "raised", type(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return "panicked", str(error)


def _open(scheduler: Any) -> dict[Epoch, set[Epoch]]:
    """The sub-epochs of epochs that have not ended."""
    log = scheduler.epoch_log
    return {
        epoch: below
        for epoch, below in scheduler.subepochs.items()
        if epoch.root not in log and epoch.root >= min(log, default=0)
    }


class Both:
    """The reference and the scheduler under test, asked the same and compared."""

    def __init__(self, implementation: Any, graph: SchedulerGraph) -> None:
        self.reference = Scheduler(list(graph.nodes), list(graph.edges))
        self.tested = implementation(list(graph.nodes), list(graph.edges))
        self.names = list(graph.signals())
        self.epochs: set[Epoch] = {Epoch(0)}

    def call(self, method: str, *arguments: Any) -> Any:
        expected = outcome(self.reference, method, arguments)
        if expected[0] == "panicked":
            reject()  # it has no answer then
        assert outcome(self.tested, method, arguments) == expected, (method, arguments)
        return expected[1] if expected[0] == "returned" else None

    def run(self, script: Use, *, look_each: int) -> None:
        answer, count = None, 0
        while True:
            try:
                method, arguments = script.send(answer)
            except StopIteration:
                break
            answer = self.call(method, *arguments)
            self.epochs.update(a for a in arguments if isinstance(a, Epoch))
            count += 1
            if count % look_each == 0:
                self.look()
        self.look()

    def look(self) -> None:
        """Compare everything that can be observed."""
        for name in ("exhausted", "epoch_log"):
            assert getattr(self.tested, name) == getattr(self.reference, name), name
        # noob_core keeps the inner sub-epochs of epochs that have ended, for ever; we do not.
        assert _open(self.tested) == _open(self.reference)
        log, subepochs = self.reference.epoch_log, self.reference.subepochs
        self.epochs.update(subepochs, *subepochs.values())
        self.epochs.update(Epoch(root) for root in range(max(log, default=0) + 3))
        for method in ("is_active", "first_active_epoch", "generations", "source_nodes"):
            self.call(method)
        for epoch in self.epochs:
            for method in (
                "get_epoch_state",
                "is_active_at",
                "epoch_completed",
                "sources_finished",
            ):
                self.call(method, epoch)

    def look_at_graph(self) -> None:
        self.call("has_cycle")
        for name in self.names:
            self.call("upstream_nodes", name)
