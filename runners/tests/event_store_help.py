"""What the tests of the event store share."""

from __future__ import annotations

from typing import Any

import pytest
from noob.edge import Signal
from noob.event import EventMaker
from noob.store import EventStore

from noob_runners import FastEventStore
from noob_runners.components import NATIVE, store_py
from noob_runners.event_store import DropIn

Twin: Any = type("Twin", (DropIn, store_py.StoreCore, EventStore), {})
STORES = [
    pytest.param(
        FastEventStore,
        id="native",
        marks=pytest.mark.skipif(not NATIVE, reason="noob_fast is not installed, or NOOB_FAST=0"),
    ),
    pytest.param(Twin, id="twin"),
]
ONE = {"value": Signal(name="value", annotation=Any)}
TWO = {name: Signal(name=name, annotation=Any) for name in ("x", "y")}
MAKER = EventMaker()

stores = pytest.mark.parametrize("make", STORES)


def seen(event: Any) -> tuple[Any, ...]:
    """An event but for its number and its time."""
    return (event["node_id"], event["signal"], event["epoch"], event["value"])
