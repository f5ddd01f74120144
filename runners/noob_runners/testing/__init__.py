"""The contract suite for runners: what an implementation inherits to show that it equals NOOB's.

Needs the ``testing`` extra. Names are loaded when they are asked for: worker processes import the
nodes of this package, and should not have to import pytest and hypothesis for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noob_runners.testing.comparison import differences
    from noob_runners.testing.contract import RunnerContract
    from noob_runners.testing.equality import equal
    from noob_runners.testing.features import cases
    from noob_runners.testing.observation import observe
    from noob_runners.testing.spec import Case
    from noob_runners.testing.tubes import tube_cases, tube_specs

_HOMES = {
    "Case": "spec",
    "RunnerContract": "contract",
    "cases": "features",
    "differences": "comparison",
    "equal": "equality",
    "observe": "observation",
    "tube_cases": "tubes",
    "tube_specs": "tubes",
}

__all__ = [
    "Case",
    "RunnerContract",
    "cases",
    "differences",
    "equal",
    "observe",
    "tube_cases",
    "tube_specs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: it has {__all__}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
