"""The implementations of a component: ours under their two names, and their peers."""

from __future__ import annotations

from noob_perf.experiments.components.bench import NATIVE, TWIN
from noob_perf.registry import RunnerEntry

_SUBJECTS = "noob_perf.measure.subjects"
_HINT = "pip install 'noob-perf[components]'"


def ours(module: str) -> tuple[RunnerEntry, RunnerEntry]:
    """The native component and its twin, from a module of subjects."""
    native = RunnerEntry(
        NATIVE,
        f"{_SUBJECTS}.{module}:Native",
        "in Rust",
        requires=("noob_fast",),
        hint="pip install 'noob-runners[fast]'",
    )
    return native, RunnerEntry(TWIN, f"{_SUBJECTS}.{module}:Twin", "the same in Python")


def peer(
    name: str, target: str, requires: str = "", *, max_size: int | None = None, limit: str = ""
) -> RunnerEntry:
    """Something else that does the same.

    Args:
        name: of its rows.
        target: its subject, as ``module:Class``.
        requires: the module that must be importable, if it is an optional one.
        max_size: the largest case that it is measured on; None for any.
        limit: why it is not measured on larger ones.
    """
    return RunnerEntry(
        name,
        f"{_SUBJECTS}.{target}",
        "",
        requires=(requires,) if requires else (),
        hint=_HINT,
        max_nodes=max_size,
        limit_reason=limit,
    )
