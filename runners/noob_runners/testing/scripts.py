"""Scripts: what a user may do with a runner beside calling ``process()`` once an epoch.

A script drives a runner of its own tube and returns what it saw; the contract compares that with
what the same script sees of NOOB's SynchronousRunner.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from noob import Epoch, Tube

from noob_runners.testing.equality import equal, snapshot
from noob_runners.testing.journal import journal
from noob_runners.testing.limits import HangError
from noob_runners.testing.observation import Raised, load, watch
from noob_runners.testing.spec import Case, asset, node, tube

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob.runner import TubeRunner

Script = tuple[Case, "Callable[[TubeRunner], Any]"]

_STATEFUL = Case(
    "stateful",
    tube(
        assets={"box": asset("Box", "runner"), "ledger": asset("Ledger", "process")},
        s=node("nodes.count"),
        t=node("classes.Tally", "s.value"),
        b=node("nodes.bump", box="assets.box", value="t.total"),
        d=node("nodes.append", ledger="assets.ledger", value="b.count"),
        r=node("return", total="t.total", boxed="b.count", d="d.value"),
    ),
)
_FINITE = Case(
    "finite",
    tube(
        s=node("nodes.count", params={"limit": 3}),
        t=node("classes.Tally", "s.value"),
        r=node("return", depends="t.total"),
    ),
)
_RARE = Case(
    "rare",
    tube(
        s=node("nodes.count"),
        g=node("gather", value="s.value", params={"n": 3}),
        r=node("return", depends="g.value"),
    ),
)
_MAPPED = Case(
    "mapped",
    tube(
        s=node("nodes.lists"),
        m=node("map", "s.value"),
        a=node("nodes.mix", "m.value"),
        b=node("nodes.half_optional", value="s.value", extra="a.value"),
        r=node("return", a="a.value", b="b.value"),
    ),
)


def attempt(action: Callable[[], Any]) -> Any:
    """What an action returns, or what it raises."""
    try:
        return snapshot(action())
    except HangError:
        raise
    except Exception as error:  # noqa: BLE001 - an exception is a result to compare
        return Raised.of(error)


def perform(
    script: Script, make_runner: Callable[[Tube], TubeRunner], tube_class: type[Tube] = Tube
) -> tuple[Any, dict[str, list[str]]]:
    """What a script saw, and what was initialised and deinitialised meanwhile."""
    case, steps = script
    with journal() as entries:
        runner = make_runner(load(case, tube_class))
        try:
            seen = attempt(lambda: steps(runner))
        finally:
            with suppress(Exception):  # only so that nothing is left: deinit is tested elsewhere
                if runner.running:
                    runner.deinit()
    return seen, entries


def _run_after_run(runner: TubeRunner) -> Any:
    return [runner.run(n=2), runner.running, runner.run(n=3), runner.process(), runner.run(n=0)]


def _run_after_the_end(runner: TubeRunner) -> Any:
    return [runner.run(n=9), attempt(lambda: runner.run(n=2)), attempt(runner.process)]


def _iter_closed_early(runner: TubeRunner) -> Any:
    values = runner.iter()
    seen = [next(values), next(values), runner.running]
    values.close()
    return [*seen, runner.running]


def _iter_after_iter(runner: TubeRunner) -> Any:
    values = runner.iter()
    seen = [next(values)]
    values.close()
    return [*seen, list(runner.iter(n=2)), runner.running, runner.process()]


def _iter_abandoned_then_process(runner: TubeRunner) -> Any:
    values = runner.iter(n=3)
    seen = [next(values), runner.process(), next(values)]
    values.close()
    return seen


def _iter_past_the_end(runner: TubeRunner) -> Any:
    seen = []

    def drain() -> None:
        for value in runner.iter():
            seen.append(value)  # noqa: PERF402 - what came before the exception counts too

    return [attempt(drain), seen, runner.running]


def _iter_gives_up(runner: TubeRunner) -> Any:
    runner.max_iter_loops = 1
    return [attempt(lambda: list(runner.iter(n=1))), runner.running]


def _deinit_twice(runner: TubeRunner) -> Any:
    seen = [runner.process()]
    runner.deinit()
    seen.append(runner.running)
    runner.deinit()
    return [*seen, runner.running]


def _deinit_without_init(runner: TubeRunner) -> Any:
    runner.deinit()
    return runner.running


def _init_twice(runner: TubeRunner) -> Any:
    runner.init()
    runner.init()
    return [runner.running, runner.process()]


def _restarted(runner: TubeRunner) -> Any:
    seen = [runner.process(), runner.process()]
    runner.deinit()
    runner.init()
    return [*seen, attempt(runner.process), attempt(runner.process)]


def _restarted_after_the_end(runner: TubeRunner) -> Any:
    seen = [attempt(runner.process) for _ in range(5)]
    runner.deinit()
    runner.init()
    return [*seen, attempt(runner.process), attempt(runner.process)]


def _with_statement(runner: TubeRunner) -> Any:
    with runner as entered:
        seen = [entered is runner, runner.running, runner.process()]
    return [*seen, runner.running]


def _with_statement_and_exception(runner: TubeRunner) -> Any:
    def fail() -> None:
        with runner:
            runner.process()
            raise LookupError("within the with statement")

    return [attempt(fail), runner.running]


def _two_callbacks(runner: TubeRunner) -> Any:
    first, calls = watch(runner), []
    runner.process()
    second = watch(runner)
    runner.add_callback(lambda event: calls.append(event["node_id"]))
    before = len(first)
    runner.process()
    return [len(calls), equal(first[before:], second), before, len(first)]


def _callback_raises(runner: TubeRunner) -> Any:
    def fail(event: Any) -> None:
        if event["node_id"] == "t":
            raise LookupError("within a callback")

    seen = [runner.process()]
    runner.add_callback(fail)
    return [*seen, attempt(runner.process)]


def _store_is_read(runner: TubeRunner) -> Any:
    seen = []
    for at in range(3):
        runner.process()
        store, epoch = runner.store, Epoch(at)
        seen.append(
            [
                attempt(lambda: store.get("a", "value", -1)["value"]),  # noqa: B023 - called here
                attempt(lambda: store.get("s", "value", epoch)["value"]),  # noqa: B023 - called here
                attempt(lambda: store.get("a", "value", epoch / ("m", 1))["value"]),  # noqa: B023 - called here
                attempt(lambda: store.get("s", "value", epoch / ("m", 1))["value"]),  # noqa: B023 - called here
                sorted({event["node_id"] for event in store.iter()}),
                len({event["id"] for event in store.flat_events}) == len(store.flat_events),
            ]
        )
    return seen


def _wrong_nodes_toggled(runner: TubeRunner) -> Any:
    return [
        runner.process(),
        attempt(lambda: runner.disable_node("nowhere")),
        attempt(lambda: runner.enable_node("nowhere")),
        attempt(runner.process),
    ]


def _toggled_twice(runner: TubeRunner) -> Any:
    seen = [runner.process()]
    runner.enable_node("t")
    seen.append(attempt(runner.process))
    runner.disable_node("t")
    runner.disable_node("t")
    seen.append(attempt(runner.process))
    runner.enable_node("t")
    return [*seen, attempt(runner.process), sorted(runner.tube.enabled_nodes)]


def _disabled_before_the_start(runner: TubeRunner) -> Any:
    runner.disable_node("t")
    seen = [runner.process()]
    runner.enable_node("t")
    return [*seen, runner.process()]


def scripts() -> dict[str, Script]:
    """All scripts by name, each with the case whose tube it drives."""
    return {
        "run_after_run": (_STATEFUL, _run_after_run),
        "run_after_run_often_silent": (_RARE, _run_after_run),
        "run_after_the_end": (_FINITE, _run_after_the_end),
        "iter_closed_early": (_STATEFUL, _iter_closed_early),
        "iter_closed_early_often_silent": (_RARE, _iter_closed_early),
        "iter_after_iter": (_STATEFUL, _iter_after_iter),
        "iter_abandoned_then_process": (_STATEFUL, _iter_abandoned_then_process),
        "iter_past_the_end": (_FINITE, _iter_past_the_end),
        "iter_gives_up": (_RARE, _iter_gives_up),
        "deinit_twice": (_STATEFUL, _deinit_twice),
        "deinit_without_init": (_STATEFUL, _deinit_without_init),
        "init_twice": (_STATEFUL, _init_twice),
        "restarted": (_STATEFUL, _restarted),
        "restarted_after_the_end": (_FINITE, _restarted_after_the_end),
        "with_statement": (_STATEFUL, _with_statement),
        "with_statement_and_exception": (_STATEFUL, _with_statement_and_exception),
        "two_callbacks": (_STATEFUL, _two_callbacks),
        "callback_raises": (_STATEFUL, _callback_raises),
        "store_is_read": (_MAPPED, _store_is_read),
        "wrong_nodes_toggled": (_STATEFUL, _wrong_nodes_toggled),
        "toggled_twice": (_STATEFUL, _toggled_twice),
        "disabled_before_the_start": (_STATEFUL, _disabled_before_the_start),
    }
