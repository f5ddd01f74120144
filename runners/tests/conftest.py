"""What the tests of several modules use."""

from __future__ import annotations

import pytest
from noob.store import EventStore

from noob_runners import components
from noob_runners.components import buffers_py, driver_py, scheduler_py, store_py
from noob_runners.store import OnPlan


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the components in Python run, as NOOB_FAST=0 does for a whole process."""
    monkeypatch.setattr(components, "NATIVE", False)
    monkeypatch.setattr("noob_runners.scheduler.FastScheduler", scheduler_py.FastScheduler)
    store = type("PlanStore", (OnPlan, store_py.StoreCore, EventStore), {})
    monkeypatch.setattr("noob_runners.coordinator.PlanStore", store)
    monkeypatch.setattr("noob_runners.coordinator.EpochDriver", driver_py.EpochDriver)
    monkeypatch.setattr("noob_runners.coordinator.EpochRun", driver_py.EpochRun)
    monkeypatch.setattr("noob_runners.pool.dispatch.BufferPool", buffers_py.BufferPool)
    monkeypatch.setattr("noob_runners.pool.source.BufferReader", buffers_py.BufferReader)
