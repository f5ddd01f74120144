"""FastSerializer, native and twin: what comes back, what is refused, and with which words."""

from __future__ import annotations

import array
import collections
import enum
import gc
import math
import pickle
import subprocess
import sys
import threading
import zlib
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from noob.event import EventMaker, MetaSignal
from noob.types import Epoch

from noob_runners.components import FastSerializer, FrameError, UnserializableError

sys.path.append(str(Path(__file__).parent))
from serializer_help import back, every_implementation, same

if TYPE_CHECKING:
    from noob_runners.components.interfaces import Serializer

HEADER = 24


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


class Text(str):  # noqa: SLOT000  # a subclass as users write it
    pass


class Number(int):
    pass


class Block(bytes):
    pass


class Matrix(np.ndarray):
    pass


POINT = (Point, "point", tuple, lambda payload: Point(*payload))


def test_the_chosen_one_has_the_interface() -> None:
    serializer: Serializer = FastSerializer()
    assert serializer.loads(serializer.dumps([1])) == [1]


@every_implementation
@pytest.mark.parametrize("size", [0, 1, 2, 62, 63, 64, 251, 252, 65535, 65536])
def test_lengths_at_the_limits_of_their_size_come_back(implementation: Any, size: int) -> None:
    serializer = implementation()
    text = "x" * size
    value = (text, "é" * size, text.encode(), [None] * size, [0.5] * size, [size] * size, {text: 1})
    assert same(back(serializer, value), value)


@every_implementation
def test_ints_at_the_limits_of_their_size_come_back(implementation: Any) -> None:
    edges = [sign * (1 << bits) + by for bits in (7, 8, 15, 31, 63, 64, 1000) for by in (-1, 0, 1)
             for sign in (1, -1)]  # fmt: skip
    for value in (tuple(edges), edges, *([edge, 0] for edge in edges)):
        assert same(back(implementation(), value), value)


@every_implementation
def test_events_and_signals_come_back(implementation: Any) -> None:
    made = EventMaker(node_id="n").new_event(MetaSignal.NoEvent, Epoch(3) / ("map", 1))
    event = back(implementation(), made)
    assert same(dict(event), dict(made))
    assert event["value"] is MetaSignal.NoEvent


@every_implementation
def test_records_share_their_keys(implementation: Any) -> None:
    serializer = implementation()
    rows = [{"a" * 99: i, "b" * 99: None} for i in range(100)]
    frame = serializer.dumps(rows)
    assert len(frame) < 1000
    first, *others = serializer.loads(frame)
    assert all(list(row) == list(first) for row in others)
    assert next(iter(first)) is next(iter(others[-1]))


@every_implementation
def test_more_kinds_of_records_than_are_counted_come_back(implementation: Any) -> None:
    rows = [{f"key{i % 1500}": i} for i in range(3000)]
    assert same(back(implementation(), rows), rows)


@every_implementation
def test_large_buffers_travel_beside_the_frame_without_a_copy(implementation: Any) -> None:
    serializer = implementation()
    numbers = np.arange(1000.0)
    value = [bytes(5000), bytearray(b"b" * 5000), memoryview(b"c" * 5000), numbers, b"small"]
    given: list[memoryview] = []
    frame = serializer.dumps(value, buffer_callback=given.append)
    assert len(frame) < 200
    assert [(view.nbytes, view.format, view.ndim) for view in given] == [
        (5000, "B", 1), (5000, "B", 1), (5000, "B", 1), (8000, "B", 1)]  # fmt: skip
    assert np.shares_memory(np.frombuffer(given[3]), numbers)
    loaded = serializer.loads(frame, buffers=given)
    assert same(loaded, value)
    assert np.shares_memory(loaded[3], numbers)
    elsewhere = [bytes(given[0]), bytearray(given[1]), given[2], bytearray(given[3])]
    loaded = serializer.loads(frame, buffers=iter(elsewhere))
    assert same(loaded, value)
    assert loaded[0] is elsewhere[0]
    assert loaded[1] is elsewhere[1]
    loaded[3][0] = 7.0
    assert np.frombuffer(elsewhere[3])[0] == 7.0


@every_implementation
def test_a_view_of_a_readonly_buffer_is_readonly_and_a_copy_is_not(implementation: Any) -> None:
    serializer = implementation()
    numbers = np.arange(1000)
    frame = serializer.dumps(numbers, buffer_callback=lambda _: None)
    assert not serializer.loads(frame, buffers=[numbers.tobytes()]).flags.writeable
    copied = back(serializer, numbers)
    assert copied.flags.writeable
    assert not back(serializer, memoryview(b"abc")).readonly


@every_implementation
def test_arrays_keep_their_order_and_aliens_are_views(implementation: Any) -> None:
    serializer = implementation()
    fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
    assert back(serializer, fortran).flags.f_contiguous
    rows = back(serializer, np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2))
    assert rows.flags.c_contiguous
    view = back(serializer, array.array("h", [1, -2]))
    assert (type(view), view.tolist()) == (memoryview, [1, -2])
    assert back(serializer, array.array("d")).tolist() == []
    strided = memoryview(bytes(range(10)))[::3]
    assert back(serializer, strided).tolist() == [0, 3, 6, 9]
    plane = memoryview(bytes(range(6))).cast("B", (2, 3))
    assert back(serializer, plane).tolist() == plane.tolist()


@every_implementation
def test_frames_are_read_from_any_buffer(implementation: Any) -> None:
    serializer = implementation()
    frame = serializer.dumps({"a": 1})
    for data in (bytearray(frame), memoryview(frame), np.frombuffer(frame, "u1")):
        assert serializer.loads(data) == {"a": 1}
    for wrong in (frame.hex(), None, 3):
        with pytest.raises(TypeError):
            serializer.loads(wrong)


@every_implementation
@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ({"a": [0, 1, 2, Colour.RED]}, "value['a'][3]:", "Colour"),
        ([Text("t")], "value[0]:", "Text"),
        ((1, {2: Number(3)}), "value[1][2]:", "Number"),
        ({(1, 2): object()}, "value[a tuple]:", "of type object"),
        ({Colour.RED: 1}, "value (a key):", "Colour"),
        ({1.5: {Colour.RED}}, "value[a float]{...}:", "Colour"),
        (collections.OrderedDict(), "value:", "OrderedDict"),
        ([{"k" * 60: Block()}], f"value[0]['{'k' * 39}...]:", "Block"),
        (np.zeros(2).view(Matrix), "value:", "Matrix"),
        (np.ma.masked_array([1]), "value:", "MaskedArray"),
        (np.zeros(1, [("a", "O")]), "value:", "dtype"),
        (Point(1, 2), "value:", "Point"),
        (memoryview(b""), None, ""),
        (memoryview(np.zeros(2, "c16")), "value:", "format 'Zd'"),
        (len, "value:", "builtin_function_or_method"),
    ],
)
def test_what_no_frame_holds_is_named_with_its_place(
    implementation: Any, value: Any, path: str | None, kind: str
) -> None:
    serializer = implementation()
    if path is None:
        assert same(back(serializer, value), value)
        return
    with pytest.raises(UnserializableError) as caught:
        serializer.dumps(value)
    assert str(caught.value).startswith(path)
    assert kind in str(caught.value)


@every_implementation
def test_time_zones_of_others_are_named(implementation: Any) -> None:
    class Zone(tzinfo):
        pass

    with pytest.raises(UnserializableError, match=r"value\[0\]\.tzinfo: of type .*Zone"):
        implementation().dumps([datetime(2026, 1, 1, tzinfo=Zone())])


@every_implementation
def test_hooks_write_types_by_name(implementation: Any) -> None:
    serializer = implementation(hooks=[POINT])
    serializer.register(Colour, "colour", lambda c: {"name": c.name}, lambda d: Colour[d["name"]])
    value = [Point(1, 2), {Colour.RED: Point(3, 4)}]
    frame = serializer.dumps(value)
    assert same(serializer.loads(frame), value)
    assert b"test_serializer" not in frame
    with pytest.raises(FrameError, match=r"registered as 'point', and registered here are \[\]"):
        implementation().loads(frame)
    with pytest.raises(ValueError, match=r"Point.* is registered already"):
        serializer.register(Point, "other", tuple, tuple)
    with pytest.raises(ValueError, match="the name 'point' is registered already"):
        serializer.register(Text, "point", str, Text)
    for written in (int, type(None), datetime, Epoch, MetaSignal, np.ndarray, np.float64):
        with pytest.raises(ValueError, match="takes no hook"):
            serializer.register(written, "mine", repr, eval)
    assert implementation(hooks=[(Text, "t", str, Text)]).register(Block, "b", bytes, Block) is None


@every_implementation
def test_what_hooks_raise_stays_what_it_is(implementation: Any) -> None:
    def fail(_: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        implementation(hooks=[(Point, "p", fail, fail)]).dumps([Point(1, 2)])
    frame = implementation(hooks=[(Point, "p", tuple, fail)]).dumps({"a": [Point(1, 2)]})
    with pytest.raises(KeyError, match="mine"):
        implementation(hooks=[(Point, "p", tuple, fail)]).loads(frame)
    endless = implementation(hooks=[(Point, "p", lambda p: p, fail)])
    with pytest.raises(UnserializableError, match="max_depth"):
        endless.dumps(Point(1, 2))


@every_implementation
def test_values_that_hooks_change_are_errors(implementation: Any) -> None:
    value: Any = None

    def clear(_: Any) -> int:
        value.clear()
        gc.collect()
        return 1

    serializer = implementation(hooks=[(Point, "p", clear, lambda p: p)])
    for value in (
        [Point(1, 2), *([i] for i in range(50))],
        {"a": Point(1, 2), **{f"k{i}": [i] for i in range(20)}},
        {Point(0, 0): 1, **{i: [i] for i in range(50)}},
    ):
        with pytest.raises(RuntimeError, match="changed"):
            serializer.dumps(value)


@every_implementation
def test_a_record_that_the_garbage_collector_changes_is_an_error(implementation: Any) -> None:
    def record() -> dict[str, Any]:
        return {"big": 1 << 90, **{f"k{i}": f"{i}" * 60 for i in range(9)}}

    value = record()
    dumps, thresholds, frame = implementation().dumps, gc.get_threshold(), None
    kept: list[Any] = []

    def clear(*_: Any) -> None:
        value.clear()
        kept.append([f"{i:0>60}" for i in range(5000)])  # where the strings were

    gc.collect()  # also frees spare dicts, so that the next one may start a collection
    gc.disable()
    kept += [[i] for i in range(9)]
    gc.set_threshold(1)
    gc.callbacks.append(clear)
    try:
        gc.enable()
        frame = dumps(value)
    except RuntimeError:
        pass
    finally:
        gc.callbacks.remove(clear)
        gc.set_threshold(*thresholds)
    assert frame is None or implementation().loads(frame) in (record(), {})


@every_implementation
def test_lists_in_records_come_back(implementation: Any) -> None:
    lists: list[Any] = [[], [1, 2], [1, 1 << 70], [0.5], [0.5, 1], ["a", "é", "\ud800", None, True]]
    lists += [["x"] * 64, ["x"] * 65, [[1]], ["a", (1,), {"b": ["c"]}]]
    rows = [{"id": i, "items": items, "last": "end"} for i, items in enumerate(lists)]
    assert same(back(implementation(), rows), rows)
    shallow = implementation(max_depth=2)
    with pytest.raises(UnserializableError, match=r"value\[0\]\['items'\].*max_depth = 2"):
        shallow.dumps([{"items": ["a"]}])
    with pytest.raises(UnserializableError, match=r"value\[0\]\['items'\].*max_depth = 2"):
        shallow.dumps([{"items": [0.5]}])


@every_implementation
def test_frames_grow_and_shrink(implementation: Any) -> None:
    serializer = implementation()
    for size in (0, 300, 5_000_000, 1, 70_000, 2):
        value = [bytes(size), "end"]
        assert back(serializer, value) == value


@every_implementation
def test_pickles_only_where_allowed(implementation: Any) -> None:
    loose = implementation(allow_pickle=True)
    frame = loose.dumps([Colour.RED, Text("t"), np.array([], dtype=[("a", "O")])])
    assert same(loose.loads(frame)[:2], [Colour.RED, Text("t")])
    with pytest.raises(FrameError, match="allow_pickle is false"):
        implementation().loads(frame)
    with pytest.raises(UnserializableError, match=r"value\[0\]: .* cannot be pickled") as caught:
        loose.dumps([lambda: None])
    assert isinstance(caught.value.__cause__, (pickle.PicklingError, AttributeError))


def test_frames_load_without_numpy_and_say_when_it_is_missing() -> None:
    script = (
        "import sys\n"
        "sys.modules['numpy'] = None\n"
        "from noob_fast import FastSerializer\n"
        "s = FastSerializer()\n"
        "assert s.loads(s.dumps([1, memoryview(b'ab')])) == [1, memoryview(b'ab')]\n"
        "try: s.loads(bytes.fromhex(sys.argv[1]))\n"
        "except ImportError as error: print(error)\n"
    )
    pytest.importorskip("noob_fast")
    frame = FastSerializer().dumps(np.arange(3))
    done = subprocess.run(
        [sys.executable, "-c", script, frame.hex()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "numpy" in done.stdout


@every_implementation
def test_many_are_one_after_the_other(implementation: Any) -> None:
    serializer = implementation()
    values = [{"a": i} for i in range(10)]
    frames = serializer.dumps_many(iter(values))
    assert frames == [serializer.dumps(value) for value in values]
    assert serializer.loads_many(iter(frames)) == values


@every_implementation
def test_the_checksum_is_zlibs(implementation: Any) -> None:
    frame = implementation().dumps("text")
    body = zlib.crc32(frame[HEADER:], zlib.crc32(frame[:20]))
    assert int.from_bytes(frame[20:HEADER], "little") == body
    assert math.isfinite(body)


@every_implementation
def test_threads_share_a_serializer(implementation: Any) -> None:
    serializer = implementation(hooks=[POINT])
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            value = [
                {"id": i, "at": datetime(2026, 1, 1, tzinfo=UTC), "p": Point(i, number)}
                for i in range(50)
            ]
            for _ in range(20):
                given: list[memoryview] = []
                numbers = np.full(1000, number)
                frame = serializer.dumps([value, numbers], buffer_callback=given.append)
                assert same(serializer.loads(frame, buffers=given), [value, numbers])
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
