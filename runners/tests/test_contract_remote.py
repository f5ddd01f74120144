"""The contract, where calls are made elsewhere and answered in any order."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from noob_runners import IndexedTube
from noob_runners.testing import RunnerContract
from noob_runners.testing.scrambled import ScrambledRunner

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob import Tube

_SEEDS = count()


class TestScrambledRunner(RunnerContract):
    """On the components that are installed."""

    @pytest.fixture
    def tube_class(self) -> type[Tube]:
        return IndexedTube

    @pytest.fixture
    def runner_class(self) -> type[ScrambledRunner]:
        return ScrambledRunner

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return lambda tube: ScrambledRunner(tube, seed=next(_SEEDS))


class TestRestlessSteps(TestScrambledRunner):
    """Where steps change their places in the middle of epochs, as adaptive ones do."""

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return lambda tube: ScrambledRunner(tube, seed=next(_SEEDS), restless=True)


@pytest.mark.usefixtures("twins")
class TestRestlessStepsOnTwins(TestRestlessSteps):
    """With the components in Python."""


class TestScrambledStatefulNodes(TestScrambledRunner):
    """With stateful nodes elsewhere too."""

    @pytest.fixture
    def nodes_are_local(self) -> bool:
        return False

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return partial(ScrambledRunner, stateful="worker")
