"""What frames know of views and of numpy's arrays: how each is described, and made again.

Numpy is used only if it is there. Everything here raises TypeError or ValueError where a
description fits no value.
"""

from __future__ import annotations

import array
import math
import re
import sys
from typing import TYPE_CHECKING, Any

from noob_runners.components.frame_texts_py import check_texts

if TYPE_CHECKING:
    import numpy as np

FORMATS = "cbB?hHiIlLqQnNfdP"
EMPTY = "bBhHiIlLqQfd"
KINDS = "biufcmMSUV"
_DTYPE = re.compile(r"[<>|][biufcmMSUV][A-Za-z0-9\[\]]*", re.ASCII)
_STRUCTURED = 5
# Elements of no bytes are not bounded by the frame's length; more of them are refused.
_EMPTY_ITEMS = 1 << 20
_OF_MANY = 2


def view_format(view: memoryview) -> str | None:
    """The format of a view that can be made again, or None."""
    format_ = view.format.removeprefix("@")
    fits = len(format_) == 1 and format_ in FORMATS
    if view.nbytes == 0:
        fits = fits and view.ndim == 1 and format_ in EMPTY
    return format_ if fits else None


def product_of(shape: object) -> int:
    """How many elements a shape has."""
    if type(shape) is not tuple or any(type(n) is not int or n < 0 for n in shape):
        raise TypeError("a shape that is no tuple of ints")
    product = math.prod(shape)
    if product.bit_length() > 64 or any(n.bit_length() > 64 for n in shape):  # noqa: PLR2004
        raise TypeError("a shape that is too large")
    return product


def length_of(data: object) -> int:
    """How many bytes the data of an array or a view has."""
    if type(data) is bytearray:
        return len(data)
    if type(data) is memoryview and data.format == "B" and data.ndim == 1:
        return len(data)
    raise TypeError(f"a {type(data)} as data")


def make_view(payload: Any) -> memoryview:
    """A memoryview of (format, shape, data)."""
    format_, shape, data = _parts(payload, 3)
    product = product_of(shape)
    length = length_of(data)
    if type(format_) is not str or len(format_) != 1 or format_ not in FORMATS:
        raise TypeError(f"a view of format {format_!r}")
    view = memoryview(data)
    if length:
        if format_ == "B" and len(shape) == 1 and product == length:
            return view
        return view.cast(format_, shape)  # type: ignore[call-overload, no-any-return]
    if shape != (0,) or format_ not in EMPTY:
        raise TypeError(f"an empty view of format {format_!r}")
    return view if format_ == "B" else memoryview(array.array(format_))


def _parts(payload: object, count: int) -> tuple[Any, ...]:
    if type(payload) is not tuple or len(payload) != count:
        raise TypeError(f"a payload that is no tuple of {count}")
    return payload


def loaded_numpy() -> Any:
    """Numpy if it is imported, else None."""
    return sys.modules.get("numpy")


def describe(dtype: np.dtype[Any]) -> Any:
    """A dtype as str, (base, shape) or (names, formats, offsets, itemsize, aligned).

    None if its values are more than bytes.
    """
    if dtype.kind not in KINDS or dtype.hasobject:
        return None
    described = _plain(dtype)
    try:
        same = rebuild(described) == dtype
    except (TypeError, ValueError):
        return None
    return described if same else None


def _plain(dtype: Any) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return _plain(base), shape
    if dtype.names is None:
        return dtype.str
    fields = [dtype.fields[name] for name in dtype.names]
    formats = tuple(_plain(field[0]) for field in fields)
    offsets = tuple(field[1] for field in fields)
    return dtype.names, formats, offsets, dtype.itemsize, dtype.isalignedstruct


def rebuild(described: Any) -> Any:
    """The dtype of a description."""
    import numpy as np  # noqa: PLC0415 (only a frame with an array needs it)

    if type(described) is str:
        # Numpy divides by a unit's denominator and by its number, whatever they are.
        plain = _DTYPE.fullmatch(described) and "[0" not in described
        made = np.dtype(described) if plain else None
        if made is None or made.str != described:
            raise TypeError(f"{described!r} is no dtype")
        return made
    if type(described) is tuple and len(described) == _OF_MANY:
        product_of(described[1])
        base = rebuild(described[0])
        if base.itemsize == 0:
            raise TypeError("elements of no bytes in an element")
        return np.dtype((base, described[1]))
    return _structured(described)


def _structured(described: Any) -> Any:
    import numpy as np  # noqa: PLC0415 (only a frame with an array needs it)

    names, formats, offsets, itemsize, aligned = _parts(described, _STRUCTURED)
    for part in (names, formats, offsets):
        if type(part) is not tuple:
            raise TypeError("a dtype whose fields are no tuples")
    if any(type(name) is not str for name in names):
        raise TypeError("a dtype whose names are no strings")
    "".join(names).encode()  # as noob_fast's, which takes no lone surrogates
    if any(type(n) is not int or not 0 <= n < 1 << 64 for n in (*offsets, itemsize)):
        raise TypeError("a dtype whose offsets are no ints")
    if type(aligned) is not bool:
        raise TypeError("a dtype that is neither aligned nor not")
    made = [rebuild(format_) for format_ in formats]
    if len(made) != len(offsets):
        raise TypeError("a dtype with formats and offsets of different numbers")
    # Numpy's own check wraps around at 2 GB.
    if any(at + field.itemsize > itemsize for at, field in zip(offsets, made, strict=True)):
        raise TypeError("a field that ends beyond its structure")
    layout = {
        "names": list(names),
        "formats": made,
        "offsets": list(offsets),
        "itemsize": itemsize,
    }
    return np.dtype(layout, align=aligned)  # type: ignore[call-overload]


def _readable(described: Any) -> Any:
    dtype = rebuild(described)
    if dtype.hasobject:
        raise TypeError("an array of objects as bytes")
    return dtype


def make_array(payload: Any) -> Any:
    """A numpy array of (dtype, shape, whether in Fortran's order, data)."""
    import numpy as np  # noqa: PLC0415 (only a frame with an array needs it)

    described, shape, fortran, data = _parts(payload, 4)
    if type(fortran) is not bool:
        raise TypeError("an array whose order is no bool")
    dtype = _readable(described)
    product, length = product_of(shape), length_of(data)
    if dtype.itemsize == 0 and product > _EMPTY_ITEMS:
        raise TypeError(f"{product} elements of no bytes")
    if product * dtype.itemsize != length:
        raise TypeError(
            f"an array of {product} elements of {dtype.itemsize} bytes in {length} bytes"
        )
    check_texts(dtype, data)
    return np.ndarray(shape, dtype, data, 0, None, "F" if fortran else "C")


def make_objects(payload: Any) -> Any:
    """A numpy array of objects of (shape, list of elements)."""
    import numpy as np  # noqa: PLC0415 (only a frame with an array needs it)

    shape, items = _parts(payload, 2)
    if product_of(shape) != len(items) or type(items) is not list:
        raise TypeError(f"an array of objects of shape {shape} with {len(items)}")
    made = np.ndarray(len(items), "O")
    for at, item in enumerate(items):
        made[at] = item
    return made.reshape(shape)


def make_scalar(payload: Any) -> Any:
    """A numpy scalar of (dtype, bytes)."""
    import numpy as np  # noqa: PLC0415 (only a frame with a scalar needs it)

    described, data = _parts(payload, 2)
    dtype = _readable(described)
    # (Of an empty text or bytes numpy gives one character.)
    sizes = (dtype.itemsize,) if dtype.itemsize else (0, 1, 4)
    if type(data) is not bytes or len(data) not in sizes:
        raise TypeError(f"a scalar of {dtype.itemsize} bytes in other data")
    check_texts(dtype, data)
    return np.ndarray((), dtype, bytearray(data))[()]
