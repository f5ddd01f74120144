"""Writes Python values into a frame, as noob_fast does, byte for byte."""

from __future__ import annotations

import pickle
import struct
import sys
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

from noob_core import Epoch

from noob_runners.components import frame_format_py as f
from noob_runners.components.frame_known_py import describe, loaded_numpy, view_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_INTS = ((f.INT8, "<b", 7), (f.INT16, "<h", 15), (f.INT32, "<i", 31), (f.INT64, "<q", 63))
_LENGTHS = ((252, "<H", 16), (253, "<I", 32), (254, "<Q", 64))
_ONE_BYTE = 251
_SMALL = 0x80
_SHOWN = 40


class UnwritableError(Exception):
    """A value that cannot be written, why, and the steps to it, last first."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.steps: list[str] = []


def _within(error: UnwritableError | f.DepthError, step: str) -> UnwritableError:
    """The error as seen from the container, of which this step leads to the value."""
    seen = error if isinstance(error, UnwritableError) else UnwritableError(str(error))
    seen.steps.append(step)
    return seen


class Writer:
    """Writes one value.

    Args:
        account: What may be written.
        hooks: (name, encode) by type.
        allow_pickle: Whether what is not known is pickled.
        buffer_callback: What takes large buffers, if they travel beside the frame.
    """

    def __init__(
        self,
        account: f.Account,
        hooks: Mapping[type, tuple[str, Callable[[Any], Any]]],
        *,
        allow_pickle: bool,
        buffer_callback: Callable[[memoryview], object] | None,
    ) -> None:
        self.out = bytearray(f.HEADER)
        self.buffers = 0
        self._account = account
        self._hooks = hooks
        self._allow_pickle = allow_pickle
        self._callback = buffer_callback
        self._shapes: dict[tuple[str, ...], int] = {}
        self._by_type: dict[type, Callable[[Any], None]] = {
            type(None): lambda _: self.out.append(f.NONE),
            bool: lambda value: self.out.append(f.TRUE if value else f.FALSE),
            int: self._int,
            float: lambda value: self._pack("<Bd", f.FLOAT, value),
            str: self._str,
            bytes: self._bytes,
            bytearray: self._bytearray,
            list: self._list,
            tuple: lambda value: self._container(f.TUPLE, f.LIST_COST, value),
            set: lambda value: self._members(f.SET, value),
            frozenset: lambda value: self._members(f.FROZENSET, value),
            dict: self._dict,
            datetime: self._datetime,
            date: lambda value: self._pack("<BHBB", f.DATE, value.year, value.month, value.day),
            time: self._time,
            timedelta: self._timedelta,
            timezone: lambda value: self._known(f.TIMEZONE, value.__getinitargs__()),
            memoryview: self._view,
            Epoch: lambda value: self._known(f.EPOCH, value.__reduce__()[1]),
        }

    def value(self, value: Any) -> None:
        """Writes a value, or raises UnwritableError, DepthError or FrameError."""
        write = self._by_type.get(type(value))
        if write is not None:
            write(value)
        elif not (self._noobs(value) or self._numpys(value)):
            self._rest(value)

    def _step(self, value: Any, step: str) -> None:
        """Writes a value to which this step leads."""
        try:
            self.value(value)
        except (UnwritableError, f.DepthError) as error:
            raise _within(error, step) from error.__cause__

    def _pack(self, layout: str, *fields: Any) -> None:
        self.out += struct.pack(layout, *fields)

    def _length(self, length: int) -> None:
        if length <= _ONE_BYTE:
            self.out.append(length)
            return
        first, layout, _ = next(kind for kind in _LENGTHS if length.bit_length() <= kind[2])
        self.out.append(first)
        self._pack(layout, length)

    def _sized(self, tag: int, data: bytes | bytearray | memoryview) -> None:
        self._account.check(len(self.out) + len(data))
        self.out.append(tag)
        self._length(len(data))
        self.out += data

    def _int(self, value: int) -> None:
        if 0 <= value < _SMALL:
            self.out.append(value)
            return
        bits = (value if value >= 0 else ~value).bit_length()
        for tag, layout, fits in _INTS:
            if bits <= fits:
                self.out.append(tag)
                self._pack(layout, value)
                return
        self._sized(f.INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))

    def _str(self, value: str) -> None:
        try:
            text = value.encode()
        except UnicodeEncodeError:
            text = value.encode("utf-8", "surrogatepass")
            self._account.charge(f.TEXT_COST, len(text))
            self._sized(f.SURROGATES, text)
            return
        if len(text) <= f.STR_END - f.STR:
            self.out.append(f.STR + len(text))
            self.out += text
        else:
            self._sized(f.LONG_STR, text)
        if not value.isascii():
            self._account.charge(f.TEXT_COST, len(text))

    def _beside(self, tag: int, view: memoryview) -> bool:
        """Lets a buffer travel beside the frame, if it is large and somebody takes it."""
        if self._callback is None or len(view) < f.BESIDE_FROM:
            return False
        self.buffers += 1
        self.out.append(tag)
        self._length(len(view))
        self._callback(view)
        return True

    def _bytes(self, value: bytes) -> None:
        if not self._beside(f.BESIDE_BYTES, memoryview(value)):
            self._sized(f.BYTES, value)

    def _bytearray(self, value: bytearray) -> None:
        if not self._beside(f.BESIDE_BYTEARRAY, memoryview(value)):
            self._sized(f.BYTEARRAY, value)

    def _data(self, view: memoryview) -> None:
        if not self._beside(f.BESIDE_VIEW, view):
            self._sized(f.BYTEARRAY, view)

    def _enter(self, tag: int, cost: tuple[int, int], count: int) -> None:
        self.out.append(tag)
        self._length(count)
        self._account.enter(cost, count)
        self._account.check(len(self.out))

    def _container(self, tag: int, cost: tuple[int, int], items: Any) -> None:
        count, at = len(items), 0
        self._enter(tag, cost, count)
        try:
            for at, item in enumerate(items):  # noqa: B007 (used where an item fails)
                self.value(item)
        except (UnwritableError, f.DepthError) as error:
            raise _within(error, f"[{at}]") from error.__cause__
        if len(items) != count:
            raise RuntimeError(f"a {type(items).__name__} changed while it was written")
        self._account.leave()

    def _members(self, tag: int, items: Iterable[Any]) -> None:
        items = list(items)
        self._enter(tag, f.TABLE_COST, len(items))
        for item in items:
            self._step(item, "{...}")
        self._account.leave()

    def _list(self, items: list[Any]) -> None:
        kinds = set(map(type, items))
        if kinds == {float}:
            self._column(f.FLOATS, "d", items)
            return
        if kinds == {int}:
            low, high = min(items), max(items)
            bits = max(high.bit_length() if high > 0 else 0, (~low).bit_length() if low < 0 else 0)
            for width, (_, layout, fits) in enumerate(_INTS):
                if bits <= fits:
                    self._column(f.INTS + width, layout[1:], items)
                    return
        self._container(f.LIST, f.LIST_COST, items)

    def _column(self, tag: int, layout: str, items: list[Any]) -> None:
        self._enter(tag, f.LIST_COST, len(items))
        self._account.leave()
        self._pack(f"<{len(items)}{layout}", *items)
        self._account.check(len(self.out))

    def _dict(self, value: dict[Any, Any]) -> None:
        is_record = 0 < len(value) <= f.RECORD_KEYS and set(map(type, value)) == {str}
        if not (is_record and self._record(tuple(value))):
            is_record = False
            self._enter(f.DICT, f.TABLE_COST, len(value))
        keys, count = tuple(value), 0
        for known, (key, item) in zip(keys, value.items(), strict=False):
            if is_record and key is not known:
                break
            count += 1
            if not is_record:
                self._step(key, " (a key)")
            try:
                self.value(item)
            except (UnwritableError, f.DepthError) as error:
                raise _within(error, _key_step(key)) from error.__cause__
        if not count == len(keys) == len(value):
            raise RuntimeError("a dict changed while it was written")
        self._account.leave()

    def _record(self, keys: tuple[str, ...]) -> bool:
        number = self._shapes.get(keys)
        if number is not None:
            self.out.append(f.RECORD)
            self._length(number)
            self._account.enter(f.RECORD_COST, len(keys))
            return True
        if len(self._shapes) == f.RECORD_SHAPES:
            return False
        self._shapes[keys] = len(self._shapes)
        self.out.append(f.NEW_RECORD)
        self._length(len(keys))
        for key in keys:
            self._str(key)
        self._account.enter(f.RECORD_COST, len(keys))
        return True

    def _clock(self, value: time | datetime) -> None:
        self._pack("<BBBBI", value.hour, value.minute, value.second, value.fold, value.microsecond)
        self._account.enter(f.KNOWN_COST, 0)
        self._step(value.tzinfo, ".tzinfo")
        self._account.leave()

    def _datetime(self, value: datetime) -> None:
        self._pack("<BHBB", f.DATETIME, value.year, value.month, value.day)
        self._clock(value)

    def _time(self, value: time) -> None:
        self.out.append(f.TIME)
        self._clock(value)

    def _timedelta(self, value: timedelta) -> None:
        self._pack("<Biii", f.TIMEDELTA, value.days, value.seconds, value.microseconds)

    def _known(self, tag: int, payload: Any) -> None:
        self.out.append(tag)
        self._account.enter(f.KNOWN_COST, 0)
        self.value(payload)
        self._account.leave()

    def _view(self, view: memoryview) -> None:
        format_ = view_format(view)
        if format_ is None:
            what = "a buffer" if view.nbytes else "an empty buffer"
            raise UnwritableError(
                f"{what} of format '{view.format}' and shape {view.shape}, which no view has"
            )
        self.out.append(f.VIEW)
        self._account.enter(f.KNOWN_COST, 0)
        self._enter(f.TUPLE, f.LIST_COST, 3)
        self._str(format_)
        self.value(view.shape)
        self._data(f.flat(view if view.c_contiguous else view.tobytes()))
        self._account.leave()
        self._account.leave()

    def _noobs(self, value: Any) -> bool:
        """Writes NOOB's signals and time zones by key; whether it was one."""
        event, zones = sys.modules.get("noob.event"), sys.modules.get("zoneinfo")
        if event is not None and type(value) is event.MetaSignal:
            self._known(f.META_SIGNAL, value.name)
        elif event is not None and type(value) is event.MetaEventType:
            self._known(f.META_EVENT, value.name)
        elif zones is not None and type(value) is zones.ZoneInfo:
            if value.key is None:
                raise UnwritableError("a ZoneInfo without a key")
            self._known(f.ZONE, value.key)
        else:
            return False
        return True

    def _numpys(self, value: Any) -> bool:
        """Writes an array or a scalar of numpy; whether it was one."""
        np = loaded_numpy()
        if np is None:
            return False
        is_array = type(value) is np.ndarray
        if not is_array and not (isinstance(value, np.generic) and type(value) is value.dtype.type):
            return False
        if is_array and value.dtype.kind == "O":
            self._known(f.OBJECTS, (value.shape, value.reshape(-1).tolist()))
            return True
        strange = value.dtype.kind == "V" and value.dtype.type is not np.void
        described = None if strange else describe(value.dtype)
        if described is None:
            if self._allow_pickle:
                return False
            raise UnwritableError(f"numpy values of dtype {value.dtype}, which are more than bytes")
        if is_array:
            self._array(np, value, described)
        else:
            self._known(f.SCALAR, (described, value.tobytes()))
        return True

    def _array(self, np: Any, array: Any, described: Any) -> None:
        in_rows = array.flags.c_contiguous
        fortran = not in_rows and array.flags.f_contiguous
        self.out.append(f.ARRAY)
        self._account.enter(f.KNOWN_COST, 0)
        self._enter(f.TUPLE, f.LIST_COST, 4)
        self.value(described)
        self.value(array.shape)
        self.value(fortran)
        rows = array if in_rows else array.T if fortran else _copied(np, array)
        self._data(memoryview(rows.reshape(-1).view(np.uint8) if array.nbytes else b""))
        self._account.leave()
        self._account.leave()

    def _rest(self, value: Any) -> None:
        """Writes what is registered, lends a buffer or can be pickled."""
        hook = self._hooks.get(type(value))
        if hook is not None:
            name, encode = hook
            self._sized(f.HOOK, name.encode())
            self._account.enter(f.KNOWN_COST, 0)
            self._step(encode(value), f"<{name}>")
            self._account.leave()
            return
        if not isinstance(value, (bytes, bytearray)) and not _is_numpys(value):
            try:
                view = memoryview(value)
            except TypeError:
                pass
            else:
                self._view(view)
                return
        kind = _type_name(type(value))
        if not self._allow_pickle:
            raise UnwritableError(
                f"of type {kind}, which no frame can hold: register the type, or allow_pickle"
            )
        try:
            pickled = pickle.dumps(value, 5)
        except Exception as error:
            raise UnwritableError(f"of type {kind}, which cannot be pickled: {error}") from error
        self._sized(f.PICKLE, pickled)


def _copied(np: Any, array: Any) -> Any:
    """The array in rows, with zeros between the fields of a structure, not what was there."""
    rows = np.zeros(array.shape, array.dtype)
    rows[...] = array
    return rows


def _is_numpys(value: Any) -> bool:
    np = loaded_numpy()
    return np is not None and isinstance(value, (np.ndarray, np.generic))


def _type_name(kind: type) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _key_step(key: Any) -> str:
    if type(key) not in {str, int}:
        return f"[a {_type_name(type(key))}]"
    text = repr(key)
    return f"[{text}]" if len(text) <= _SHOWN else f"[{text[:_SHOWN]}...]"
