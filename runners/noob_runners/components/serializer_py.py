"""FastSerializer in Python: it writes the same frames as noob_fast's, and reads the same values."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from noob_core import Epoch

from noob_runners.components import frame_format_py as f
from noob_runners.components.frame_known_py import loaded_numpy
from noob_runners.components.frame_reader_py import Reader
from noob_runners.components.frame_writer_py import UnwritableError, Writer
from noob_runners.components.serializer_errors import FrameError, UnserializableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

__all__ = ["FastSerializer"]

T = TypeVar("T")

_WRITTEN = {
    type(None), bool, int, float, str, bytes, bytearray, memoryview, list, tuple, dict, set,
    frozenset, date, datetime, time, timedelta, timezone, Epoch,
}  # fmt: skip
_ELSEWHERE = {
    ("noob.event", "MetaSignal"),
    ("noob.event", "MetaEventType"),
    ("zoneinfo", "ZoneInfo"),
    ("numpy", "ndarray"),
}
# Of a longer path only so many steps are shown at each end.
_STEPS = 6
# Of what is wrong with a frame, which may quote it, only so many characters are shown.
_SHOWN = 200


class FastSerializer:
    """See `noob_runners.components.interfaces.Serializer`."""

    def __init__(
        self,
        *,
        allow_pickle: bool = False,
        max_bytes: int = 1 << 30,
        max_depth: int = 200,
        hooks: Iterable[tuple[type[Any], str, Callable[[Any], Any], Callable[[Any], Any]]]
        | None = None,
    ) -> None:
        if max_bytes <= 0:
            raise ValueError(f"max_bytes is {max_bytes}: no frame is so small")
        if not 1 <= max_depth <= f.DEEPEST:
            raise ValueError(f"max_depth is {max_depth}: it goes from 1 to {f.DEEPEST}")
        self._allow_pickle = allow_pickle
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        self._encoders: dict[type, tuple[str, Callable[[Any], Any]]] = {}
        self._decoders: dict[str, Callable[[Any], Any]] = {}
        for hook in hooks or ():
            self.register(*hook)

    def register(
        self, cls: type[T], name: str, encode: Callable[[T], Any], decode: Callable[[Any], T]
    ) -> None:
        """Makes values of a type writable: see the interface."""
        if cls in _WRITTEN or (cls.__module__, cls.__qualname__) in _ELSEWHERE or _is_scalar(cls):
            raise ValueError(f"{cls} is written as it is: it takes no hook")
        if cls in self._encoders:
            raise ValueError(f"{cls} is registered already")
        if name in self._decoders:
            raise ValueError(f"the name {name!r} is registered already")
        name.encode()  # A name that is no UTF-8 could not be written.
        self._decoders[name] = decode
        self._encoders[cls] = (name, encode)

    def dumps(
        self, value: Any, *, buffer_callback: Callable[[memoryview], object] | None = None
    ) -> bytes:
        """The frame of a value: see the interface."""
        account = self._account()
        writer = Writer(
            account,
            self._encoders,
            allow_pickle=self._allow_pickle,
            buffer_callback=buffer_callback,
        )
        try:
            writer.value(value)
        except UnwritableError as error:
            raise UnserializableError(f"value{_path(error.steps)}: {error}") from error.__cause__
        except (f.DepthError, RecursionError) as error:
            raise UnserializableError(f"value: {error}") from None
        account.check(len(writer.out))
        f.seal(writer.out, writer.buffers)
        return bytes(writer.out)

    def loads(self, data: Buffer, *, buffers: Iterable[Buffer] | None = None) -> Any:
        """The value of a frame: see the interface."""
        given = [] if buffers is None else list(buffers)
        account = self._account()
        view = f.flat(data)
        said = f.open_frame(view, account)
        if said != len(given):
            raise FrameError(
                f"{len(given)} buffers were given, and the frame says {said} at byte 16"
            )
        reader = Reader(
            view, account, self._decoders, allow_pickle=self._allow_pickle, buffers=given
        )
        try:
            return reader.read()
        except (FrameError, f.DepthError, RecursionError) as error:
            raise FrameError(f"{_cut(str(error))} (at byte {reader.at})") from error.__cause__

    def dumps_many(self, values: Iterable[Any]) -> list[bytes]:
        """The frame of each value: see the interface."""
        return [self.dumps(value) for value in values]

    def loads_many(self, frames: Iterable[Buffer]) -> list[Any]:
        """The value of each frame: see the interface."""
        return [self.loads(frame) for frame in frames]

    def _account(self) -> f.Account:
        return f.Account(self._max_bytes, self._max_depth)


def _is_scalar(cls: type) -> bool:
    np = loaded_numpy()
    return np is not None and cls.__module__ == "numpy" and issubclass(cls, np.generic)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _path(steps: list[str]) -> str:
    steps.reverse()
    if len(steps) > 2 * _STEPS:
        steps[_STEPS:-_STEPS] = ["..."]
    return "".join(steps)
