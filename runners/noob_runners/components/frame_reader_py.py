"""Reads a frame and makes the Python values it holds, checking whatever it is told."""

from __future__ import annotations

import pickle
import struct
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from noob_core import Epoch

from noob_runners.components import frame_format_py as f
from noob_runners.components.frame_known_py import (
    make_array,
    make_objects,
    make_scalar,
    make_view,
)
from noob_runners.components.frame_table_py import is_slow
from noob_runners.components.frame_zones_py import zone_of
from noob_runners.components.serializer_errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_NUMBERS = {f.INT8: "<b", f.INT16: "<h", f.INT32: "<i", f.INT64: "<q", f.FLOAT: "<d"}
_LENGTHS = {252: "<H", 253: "<I", 254: "<Q"}
_COLUMNS = {f.FLOATS: "d", f.INTS: "b", f.INTS + 1: "h", f.INTS + 2: "i", f.INTS + 3: "q"}
_SMALL = 0x80


class Reader:
    """Reads one value.

    Args:
        data: The frame, without its header's being checked again.
        account: What may be read.
        hooks: decode by name.
        allow_pickle: Whether pickles are loaded.
        buffers: What travels beside the frame.
    """

    def __init__(
        self,
        data: memoryview,
        account: f.Account,
        hooks: Mapping[str, Callable[[Any], Any]],
        *,
        allow_pickle: bool,
        buffers: list[Any],
    ) -> None:
        self.at = f.HEADER
        self._data = data
        self._account = account
        self._hooks = hooks
        self._allow_pickle = allow_pickle
        self._buffers: Iterator[Any] = iter(buffers)
        self._left = len(buffers)
        self._shapes: list[list[str]] = []
        self._by_tag: dict[int, Callable[[], Any]] = {
            **{tag: partial(self._number, layout) for tag, layout in _NUMBERS.items()},
            **{tag: partial(self._column, kind) for tag, kind in _COLUMNS.items()},
            f.NONE: lambda: None,
            f.FALSE: lambda: False,
            f.TRUE: lambda: True,
            f.INT: lambda: int.from_bytes(self._sized(), "little", signed=True),
            f.LONG_STR: lambda: self._text(self._length()),
            f.SURROGATES: self._surrogates,
            f.BYTES: lambda: bytes(self._sized()),
            f.BYTEARRAY: lambda: bytearray(self._sized()),
            f.BESIDE_BYTES: lambda: self._beside(bytes),
            f.BESIDE_BYTEARRAY: lambda: self._beside(bytearray),
            f.BESIDE_VIEW: lambda: self._beside(memoryview),
            f.LIST: partial(self._items, f.LIST_COST),
            f.TUPLE: lambda: tuple(self._items(f.LIST_COST)),
            f.SET: lambda: self._table(set),
            f.FROZENSET: lambda: self._table(frozenset),
            f.DICT: self._dict,
            f.NEW_RECORD: self._new_record,
            f.RECORD: self._record,
            f.DATE: lambda: _made(date, *self._unpack("<HBB")),
            f.TIME: lambda: self._moment(time),
            f.DATETIME: lambda: self._moment(datetime, *self._unpack("<HBB")),
            f.TIMEDELTA: lambda: _made(timedelta, *self._unpack("<iii")),
            f.PICKLE: self._pickle,
            f.HOOK: self._hook,
            f.TIMEZONE: lambda: _made(timezone, *self._arguments()),
            f.ZONE: lambda: _made(zone_of, self._name()),
            f.EPOCH: lambda: _made(Epoch, *self._arguments()),
            f.META_SIGNAL: lambda: _made(_member, "MetaSignal", self._name()),
            f.META_EVENT: lambda: _made(_member, "MetaEventType", self._name()),
            f.VIEW: lambda: _made(make_view, self._payload()),
            f.ARRAY: lambda: _made(make_array, self._payload()),
            f.OBJECTS: lambda: _made(make_objects, self._payload()),
            f.SCALAR: lambda: _made(make_scalar, self._payload()),
        }

    def read(self) -> Any:
        """The frame's value, or FrameError, or DepthError."""
        value = self._value()
        if self.at != len(self._data):
            raise FrameError(f"{len(self._data) - self.at} bytes follow the value")
        if self._left:
            raise FrameError(f"{self._left} buffers are not used")
        return value

    def _value(self) -> Any:
        tag = self._take(1)[0]
        if tag < _SMALL:
            return tag
        if tag <= f.STR_END:
            return self._text(tag - f.STR)
        read = self._by_tag.get(tag)
        if read is None:
            raise FrameError(f"unknown tag {tag:#04x}")
        return read()

    def _take(self, length: int) -> memoryview:
        end = self.at + length
        if end > len(self._data):
            rest = len(self._data) - self.at
            raise FrameError(f"{length} bytes or values wanted, and {rest} bytes are left")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _number(self, layout: str) -> Any:
        return self._unpack(layout)[0]

    def _length(self) -> int:
        first = self._take(1)[0]
        if first in _LENGTHS:
            return int(self._unpack(_LENGTHS[first])[0])
        if first == 255:  # noqa: PLR2004
            raise FrameError("a length that starts with 255")
        return first

    def _sized(self) -> memoryview:
        return self._take(self._length())

    def _count(self) -> int:
        count = self._length()
        rest = len(self._data) - self.at
        if count > rest:
            raise FrameError(f"{count} bytes or values wanted, and {rest} bytes are left")
        return count

    def _text(self, length: int) -> str:
        try:
            text = str(self._take(length), "utf-8")
        except UnicodeDecodeError:
            raise FrameError("text that is not UTF-8") from None
        if not text.isascii():
            self._account.charge(f.TEXT_COST, length)
        return text

    def _surrogates(self) -> str:
        data = self._sized()
        try:
            text = str(data, "utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise FrameError("text that is not UTF-8, even with surrogates") from None
        self._account.charge(f.TEXT_COST, len(data))
        return text

    def _column(self, kind: str) -> list[Any]:
        count = self._length()
        data = self._take(count * struct.calcsize(f"<{kind}"))
        self._account.enter(f.LIST_COST, count)
        self._account.leave()
        return list(struct.unpack(f"<{count}{kind}", data))

    def _values(self, count: int, cost: tuple[int, int], each: int = 1) -> list[Any]:
        self._account.enter(cost, count)
        values = []
        for _ in range(count * each):
            values.append(self._value())  # noqa: PERF401 (a comprehension would nest deeper)
        self._account.leave()
        return values

    def _items(self, cost: tuple[int, int]) -> list[Any]:
        return self._values(self._count(), cost)

    def _table(self, kind: Callable[[list[Any]], Any]) -> Any:
        items = self._items(f.TABLE_COST)
        _check_hashes(items, of_set=True)
        return _hashing(kind, items)

    def _dict(self) -> dict[Any, Any]:
        items = self._values(self._count(), f.TABLE_COST, 2)
        keys, values = items[::2], items[1::2]
        _check_hashes(keys, of_set=False)
        made: dict[Any, Any] = _hashing(dict, zip(keys, values, strict=True))
        return made

    def _new_record(self) -> dict[str, Any]:
        count = self._count()
        if not 0 < count <= f.RECORD_KEYS:
            raise FrameError(f"a record of {count} keys")
        if len(self._shapes) == f.RECORD_SHAPES:
            raise FrameError(f"more than {f.RECORD_SHAPES} kinds of records")
        self._shapes.append([self._key() for _ in range(count)])
        return self._fields(self._shapes[-1])

    def _key(self) -> str:
        tag = self._take(1)[0]
        if f.STR <= tag <= f.STR_END:
            return self._text(tag - f.STR)
        if tag == f.LONG_STR:
            return self._text(self._length())
        if tag == f.SURROGATES:
            return self._surrogates()
        raise FrameError(f"a record's key with tag {tag:#04x}")

    def _record(self) -> dict[str, Any]:
        number = self._length()
        if number >= len(self._shapes):
            raise FrameError(f"record {number} of {len(self._shapes)} so far")
        return self._fields(self._shapes[number])

    def _fields(self, keys: list[str]) -> dict[str, Any]:
        return dict(zip(keys, self._values(len(keys), f.RECORD_COST), strict=True))

    def _payload(self) -> Any:
        self._account.enter(f.KNOWN_COST, 0)
        value = self._value()
        self._account.leave()
        return value

    def _arguments(self) -> tuple[Any, ...]:
        payload = self._payload()
        if type(payload) is not tuple:
            raise FrameError(f"a {type(payload)} as arguments")
        return payload

    def _name(self) -> str:
        payload = self._payload()
        if type(payload) is not str:
            raise FrameError(f"a {type(payload)} as a name")
        return payload

    def _moment(self, kind: Callable[..., Any], *day: int) -> Any:
        hour, minute, second, fold, microsecond = self._unpack("<BBBBI")
        if fold > 1:
            raise FrameError(f"a time with fold {fold}")
        zone = self._payload()
        if zone is not None and not isinstance(zone, tzinfo):
            raise FrameError(f"a {type(zone)} as a time zone")
        return _made(kind, *day, hour, minute, second, microsecond, zone, fold=fold)

    def _pickle(self) -> Any:
        data = self._sized()
        if not self._allow_pickle:
            raise FrameError("it holds a pickle, and allow_pickle is false")
        return pickle.loads(data)  # noqa: S301 (the caller allows it)

    def _hook(self) -> Any:
        try:
            name = str(self._sized(), "utf-8")
        except UnicodeDecodeError:
            raise FrameError("a type's name that is not UTF-8") from None
        payload = self._payload()
        decode = self._hooks.get(name)
        if decode is None:
            raise FrameError(
                f"a type registered as '{name}', and registered here are {list(self._hooks)}"
            )
        return decode(payload)

    def _beside(self, kind: type) -> Any:
        length = self._length()
        if not self._left:
            raise FrameError("more buffers are used than are beside the frame")
        self._left -= 1
        given = next(self._buffers)
        view: memoryview = _made(f.flat, given)
        if len(view) != length:
            raise FrameError(f"a buffer of {length} bytes, and {len(view)} bytes were given")
        if kind is memoryview or type(given) is kind:
            return view if kind is memoryview else given
        self._account.charge((length, 0), 0)
        return kind(view)


def _made(make: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What is made of a frame's data, or FrameError if that cannot be."""
    try:
        return make(*arguments, **named)
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise FrameError(str(error)) from error


def _member(kind: str, name: str) -> Any:
    from noob import event  # noqa: PLC0415 (only a frame with a signal needs it)

    return getattr(event, kind)[name]


def _hashing(kind: Callable[[Any], Any], items: Any) -> Any:
    try:
        return kind(items)
    except (TypeError, ValueError, RecursionError) as error:  # a memoryview's is a ValueError
        raise FrameError(str(error)) from error


def _check_hashes(keys: list[Any], *, of_set: bool) -> None:
    """Refuses keys that a table would take too long to hold."""
    if _hashing(partial(is_slow, of_set=of_set), keys):
        raise FrameError("too many keys whose hash collides")
