"""Odd but legal use of tubes and runners, on which CompiledRunner must still equal NOOB's."""

from __future__ import annotations

import gc
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from noob import Epoch, SynchronousRunner, Tube
from noob.edge import Signal
from noob.event import Event, EventMaker, MetaSignal
from noob.node import Node
from noob.scheduler import Scheduler

from noob_runners import CompiledRunner, IndexedTube
from noob_runners.testing.spec import given, node, tube

if TYPE_CHECKING:
    from collections.abc import Callable

HERE: dict[str, Callable[..., Any]] = {}
"""What the nodes `hook` and `source` do in a test."""
MAKER = EventMaker()


def hook(value: Any = None) -> Any:
    """Do what the test says."""
    return HERE["hook"](value)


def source() -> Any:
    """Emit what the test says."""
    return HERE["source"]()


def same(value: Any = None) -> Any:
    """Pass a value on."""
    return value


def plus(value: int, added: int) -> int:
    """Add a parameter."""
    return value + added


def by_epoch(value: Any, epoch: Any) -> Any:
    """Return the epoch too."""
    return value, str(epoch)


def emits(epoch: Any, value: Any = None) -> Any:
    """Return events that the test makes."""
    return HERE["emits"](epoch)


# NOOB reads the annotations themselves, and this module's are strings
by_epoch.__annotations__["epoch"] = Epoch
emits.__annotations__.update({"epoch": Epoch, "return": list[Event]})


class Renamed(Node):
    """Knows its signals when it is initialized."""

    def init(self) -> None:
        """Name the signals."""
        self._signals = {name: Signal(name=name, annotation=Any) for name in ("left", "right")}

    def process(self) -> Any:
        """Emit a value for each."""
        return 1, 2


class Alike:
    """A function that is equal to any other, though they take different things."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__signature__ = inspect.signature(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self.function(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 1


alike_same = Alike(same)
alike_by_epoch = Alike(by_epoch)


def own(name: str, *depends: Any, **more: Any) -> dict[str, Any]:
    """A node of a function of this module."""
    return {"type": f"{__name__}.{name}", **({"depends": [*depends]} if depends else {}), **more}


def event(epoch: Any, node_id: str, signal: str, value: Any) -> Event:
    return MAKER.new_event(node_id=node_id, signal=signal, epoch=epoch, value=value)


def seen(runner: Any) -> list[Any]:
    """What an observer sees of a runner's last epoch."""
    return [(str(e["epoch"]), e["node_id"], e["signal"], e["value"]) for e in events_of(runner)]


def events_of(runner: Any) -> list[Any]:
    return list(runner.store.flat_events)


def alike(act: Callable[[Any], Any], change: Any = None, **nodes: Any) -> None:
    """Require of an action the same outcome on NOOB's runner and on ours."""
    outcomes = []
    for tube_class, runner_class in ((Tube, SynchronousRunner), (IndexedTube, CompiledRunner)):
        made = tube_class.from_specification(tube(**nodes))
        if change is not None:
            change(made)
        outcomes.append(act(runner_class(made)))
    assert outcomes[1] == outcomes[0]


def once(runner: Any) -> Any:
    return runner.process(), seen(runner)


CHAIN = {
    "a": own("source"),
    "b": own("same", {"value": "a.value"}),
    "r": node("return", b="b.value"),
}


@pytest.fixture(autouse=True)
def _source() -> Any:
    HERE.clear()
    HERE["source"] = lambda: 1
    yield
    HERE.clear()


# ------------------------------------------------------------------ events that nodes make


def test_a_function_may_emit_events_of_signals_that_it_does_not_declare() -> None:
    HERE["emits"] = lambda at: [event(at, "a", "left", 1), event(at, "a", "right", 2)]
    alike(
        once,
        a=own("emits"),
        b=own("same", {"value": "a.left"}),
        r=node("return", left="b.value", right="a.right"),
    )


def test_an_event_in_another_nodes_name_does_not_hide_that_nodes_own() -> None:
    HERE["emits"] = lambda at: [event(at, "b", "value", 99), event(at, "a", "value", 7)]
    alike(
        lambda runner: (once(runner), runner.store.get("b", "value", Epoch(0))["value"]),
        a=own("emits"),
        b=own("source"),
        c=own("same", {"value": "a.value"}),
    )


def test_events_of_undeclared_signals_keep_their_place() -> None:
    HERE["emits"] = lambda at: [event(at, "a", "ghost", 1)]
    alike(once, z=own("source"), a=own("emits"), c=own("same", {"value": "z.value"}))


MAPPED = {
    "l": own("source"),
    "m": node("map", value="l.value"),
    "a": own("emits", {"value": "m.value"}),
    "b": own("same", {"value": "m.value"}),
    "c": own("same", {"value": "a.value"}),
    "r": node("return", c="c.value"),
}


def test_an_event_in_another_nodes_name_does_not_hide_its_own_in_a_sub_epoch() -> None:
    HERE["source"] = lambda: [1, 2]
    HERE["emits"] = lambda at: [event(at, "b", "value", 99), event(at, "a", "value", 7)]
    alike(once, **MAPPED)


def test_a_sub_epoch_goes_on_after_its_events_were_cleared() -> None:
    def act(runner: Any) -> Any:
        HERE["emits"] = lambda at: (runner.store.clear(at), 7)[1]
        return once(runner)

    HERE["source"] = lambda: [1, 2]
    alike(act, **MAPPED)


class Named(dict):  # type: ignore[type-arg]
    """A dictionary that can be referred to weakly."""


def test_a_proxy_of_an_event_is_an_event() -> None:
    kept = []

    def proxied() -> Any:
        kept.append(Named(event(Epoch(0), "a", "value", 3)))
        return weakref.proxy(kept[-1])

    HERE["source"] = proxied
    alike(lambda runner: runner.process(), **CHAIN)


# ------------------------------------------------------------------ the store


def test_events_emitted_after_a_clear_are_there() -> None:
    at: list[Any] = []

    def act(runner: Any) -> Any:
        HERE["hook"] = lambda value: (runner.store.clear(), value)[1]
        at[:] = [runner.process(x=5), seen(runner)]
        return list(at)

    alike(
        act,
        inputs={"x": given("process")},
        a=own("source"),
        b=own("hook", {"value": "a.value"}),
        c=own("same", {"value": "b.value"}),
        d=own("plus", {"value": "input.x"}, {"added": "c.value"}),
        r=node("return", c="c.value", d="d.value"),
    )


def test_a_store_can_serve_another_runner() -> None:
    def act(runner: Any) -> Any:
        runner.process()
        longer = {f"n{i}": own("same", {"value": f"n{i - 1}.value"}) for i in range(1, 6)}
        nodes = {"n0": own("source"), **longer, "r": node("return", last="n5.value")}
        other = type(runner.tube).from_specification(tube(**nodes))
        return once(type(runner)(other, store=runner.store))

    alike(act, **CHAIN)


# ------------------------------------------------------------------ what a node calls


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.nodes["b"].__dict__.update(process=lambda value: value + 100),
        lambda made: setattr(made.nodes["b"], "fn", same),
        lambda made: made.nodes["b"].params.clear(),
    ],
    ids=["process", "fn", "params"],
)
def test_what_is_called_is_process(change: Any) -> None:
    nodes = CHAIN | {"b": own("plus", {"value": "a.value"}, params={"added": 3})}
    alike(once, change, **nodes)


def test_fn_without_params_is_not_called_in_the_place_of_process() -> None:
    alike(once, lambda made: setattr(made.nodes["b"], "fn", lambda value: value + 100), **CHAIN)


def test_functions_that_are_equal_are_told_apart() -> None:
    alike(
        once,
        a=own("source"),
        b=own("alike_same", {"value": "a.value"}),
        c=own("alike_by_epoch", {"value": "a.value"}),
        r=node("return", b="b.value", c="c.value"),
    )


def test_a_node_may_name_its_signals_in_init() -> None:
    alike(once, a=own("Renamed"), r=node("return", left="a.left", right="a.right"))


def test_no_event_is_an_input_like_any_other() -> None:
    alike(
        lambda runner: runner.process(x=MetaSignal.NoEvent),
        inputs={"x": given("process")},
        b=own("same", {"value": "input.x"}),
        r=node("return", b="b.value"),
    )


# ------------------------------------------------------------------ what a user replaces


def test_a_replaced_call_of_callbacks_is_taken() -> None:
    def called(runner: Any) -> Any:
        calls: list[str] = []
        kind = type(runner)

        class Watching(kind):  # type: ignore[misc, valid-type]
            def _call_callbacks(self, events: Any) -> None:
                calls.extend(event["node_id"] for event in events)
                super()._call_callbacks(events)

        Watching(runner.tube).process()
        return calls

    alike(called, **CHAIN)


def test_a_scheduler_of_the_users_own_is_kept() -> None:
    updates = []

    class Watching(Scheduler):
        def update(self, events: Any) -> Any:
            updates.append([event["node_id"] for event in events])
            return super().update(events)

    made = Tube.from_specification(tube(**CHAIN))
    made.scheduler = Watching(made.scheduler.nodes, made.scheduler.edges)
    CompiledRunner(made).process()
    assert updates == [["a"], ["b"], ["r"]]


def test_another_tube_can_take_the_place_of_the_first() -> None:
    def act(runner: Any) -> Any:
        runner.process()
        nodes = {"q": own("source"), "r": node("return", q="q.value")}
        runner.tube = type(runner.tube).from_specification(tube(**nodes))
        return once(runner)

    alike(act, **CHAIN)


# ------------------------------------------------------------------ again and at once


def test_a_refused_process_leaves_the_epoch_alone_that_runs() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def wait(value: Any) -> Any:
        entered.set()
        assert go_on.wait(10)
        return value

    HERE["hook"] = wait
    nodes = CHAIN | {"b": own("hook", {"value": "a.value"})}
    runner = CompiledRunner(IndexedTube.from_specification(tube(**nodes)))
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(runner.process()))
    thread.start()
    assert entered.wait(10)
    with pytest.raises(RuntimeError):
        runner.process()
    go_on.set()
    thread.join(10)
    assert results == [{"b": 1}]


# ------------------------------------------------------------------ nothing is kept


def test_types_of_values_are_let_go() -> None:
    runner = CompiledRunner(IndexedTube.from_specification(tube(**CHAIN)))
    HERE["source"] = type("Once", (), {})
    gone = weakref.ref(HERE["source"])
    runner.process()
    HERE["source"] = lambda: 1
    runner.process()
    gc.collect()
    assert gone() is None


def test_a_runner_is_let_go_whose_values_know_it() -> None:
    def run() -> weakref.ref[Any]:
        runner = CompiledRunner(IndexedTube.from_specification(tube(**CHAIN)))
        HERE["source"] = type("Knowing", (), {"runner": runner})
        runner.process()
        HERE["source"] = lambda: 1
        return weakref.ref(runner)

    gone = run()
    gc.collect()
    assert gone() is None


def test_a_spoilt_epoch_returns_nothing_later() -> None:
    calls = []

    def fail_once(value: Any) -> Any:
        calls.append(value)
        if len(calls) == 1:
            raise LookupError("once")
        return value

    HERE["hook"] = fail_once
    nodes = {
        "a": own("source"),
        "r": node("return", a="a.value"),
        "b": own("same", {"value": "a.value"}),
        "c": own("hook", {"value": "b.value"}),
    }
    runner = CompiledRunner(IndexedTube.from_specification(tube(**nodes)))
    with pytest.raises(LookupError, match="once"):
        runner.process()
    assert runner.process() == {"a": 1}
