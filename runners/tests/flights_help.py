"""What the tests of several epochs under way share: the runners that have them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from noob_runners.testing.scrambled import ScrambledRunner

sys.path.append(str(Path(__file__).parent))
from multiprocess_help import runner

if TYPE_CHECKING:
    from collections.abc import Iterator


def scrambled(tube: Any, flights: int = 4, **options: Any) -> ScrambledRunner:
    """A runner that answers in any order, in this process."""
    one = ScrambledRunner(tube, **options)
    one._most_flights = flights
    return one


def remote(tube: Any, **options: Any) -> Any:
    return runner(tube, placement="remote", **options)


def take(many: Iterator[Any], into: list[Any]) -> None:
    """Take all results: those that came before an exception count too."""
    for result in many:
        into.append(result)  # noqa: PERF402 (extend would lose them)


BOTH = pytest.mark.parametrize("make", [remote, scrambled], ids=["multiprocess", "scrambled"])
