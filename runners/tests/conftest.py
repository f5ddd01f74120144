"""What the tests of several modules use."""

from __future__ import annotations

import pytest

from noob_runners import components
from noob_runners.components import block_py, buffers_py, driver_py, scheduler_py


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the components in Python run, as NOOB_FAST=0 does for a whole process."""
    monkeypatch.setattr(components, "NATIVE", False)
    monkeypatch.setattr("noob_runners.scheduler.FastScheduler", scheduler_py.FastScheduler)
    monkeypatch.setattr("noob_runners.store.ValueBlock", block_py.ValueBlock)
    monkeypatch.setattr("noob_runners.coordinator.EpochDriver", driver_py.EpochDriver)
    monkeypatch.setattr("noob_runners.coordinator.EpochRun", driver_py.EpochRun)
    monkeypatch.setattr("noob_runners.pool.dispatch.BufferPool", buffers_py.BufferPool)
    monkeypatch.setattr("noob_runners.pool.source.BufferReader", buffers_py.BufferReader)
