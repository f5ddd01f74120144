"""The contract, on MultiProcessRunner.

Workers are forked from a server that has imported what they need: every case starts its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from noob_runners import IndexedTube, MultiProcessRunner
from noob_runners.testing import RunnerContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from noob import Tube


class TestAdaptive(RunnerContract):
    """Nodes leave if they are worth it."""

    @pytest.fixture
    def tube_class(self) -> type[Tube]:
        return IndexedTube

    @pytest.fixture
    def runner_class(self) -> type[MultiProcessRunner]:
        return MultiProcessRunner

    @pytest.fixture
    def limit_s(self) -> float:
        return 60.0

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return partial(MultiProcessRunner, max_workers=2, start_method="forkserver")


class TestRemote(TestAdaptive):
    """All nodes leave that may."""

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return partial(
            MultiProcessRunner, max_workers=2, start_method="forkserver", placement="remote"
        )


class TestStatefulInWorkers(TestAdaptive):
    """Stateful nodes leave too."""

    @pytest.fixture
    def nodes_are_local(self) -> bool:
        return False

    @pytest.fixture
    def make_runner(self) -> Callable[..., Any]:
        return partial(
            MultiProcessRunner,
            max_workers=2,
            start_method="forkserver",
            placement="remote",
            stateful="worker",
        )
