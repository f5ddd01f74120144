"""The contract, on CompiledRunner and on NOOB's own runner on an IndexedTube."""

from __future__ import annotations

import pytest
from noob import SynchronousRunner, Tube

from noob_runners import CompiledRunner, IndexedTube
from noob_runners.testing import RunnerContract


class TestCompiledRunner(RunnerContract):
    """On the tube that it is made for, with the components that are installed."""

    @pytest.fixture
    def runner_class(self) -> type[CompiledRunner]:
        return CompiledRunner

    @pytest.fixture
    def tube_class(self) -> type[Tube]:
        return IndexedTube


@pytest.mark.usefixtures("twins")
class TestCompiledRunnerOnTwins(TestCompiledRunner):
    """With the components in Python."""


class TestCompiledRunnerOnStockTube(RunnerContract):
    """On a tube that NOOB loaded."""

    @pytest.fixture
    def runner_class(self) -> type[CompiledRunner]:
        return CompiledRunner


class TestSynchronousRunnerOnIndexedTube(RunnerContract):
    """NOOB's runner, which does not know that the tube is ours."""

    @pytest.fixture
    def reusable_after_error(self) -> bool:
        return False

    @pytest.fixture
    def runner_class(self) -> type[SynchronousRunner]:
        return SynchronousRunner

    @pytest.fixture
    def tube_class(self) -> type[Tube]:
        return IndexedTube
