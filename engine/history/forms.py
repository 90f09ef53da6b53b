"""A frame taken apart into numbers, arrays and what is neither, and put together again.

The form of a value says what it is made of without its numbers: nested tuples that can be compared, hashed and written
as JSON. Numbers are listed in the order of the form; None takes the place of a number, so that what is known later does
not shift the others. Any dataclass that a frame refers to by its type hints can be logged: whatever is added to `Frame`
comes along.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from engine.history.errors import HistoryError

Form: TypeAlias = tuple[Any, ...]

NONE: Form = ("none",)
BOOL: Form = ("bool",)
INT: Form = ("int",)
FLOAT: Form = ("float",)
_DTYPES = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}
_DEEPEST = 8
_PLAIN = (str, int, float, bool, type(None))
_MOST_KEPT = 2000
_KEPT: dict[int, tuple[Any, Form, tuple[float, ...]]] = {}
"""By the identity of an object: itself, which keeps that identity its own, its form and its numbers."""


def take_apart(value: Any, numbers: list[float], arrays: list[NDArray[Any]]) -> Form:
    """The form of a value; its numbers and arrays are appended. Raises TypeError for what cannot be logged."""
    if isinstance(value, float):
        numbers.append(value)
        return FLOAT
    if value is None:
        numbers.append(math.nan)
        return NONE
    if isinstance(value, str):
        return "text", str(value)
    if isinstance(value, bool | np.bool_):
        numbers.append(float(value))
        return BOOL
    if isinstance(value, int | np.integer):
        numbers.append(float(value))
        return INT
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return "array", value.dtype.str, value.shape
    if isinstance(value, np.floating):
        numbers.append(float(value))
        return FLOAT
    if is_dataclass(value) and not isinstance(value, type):
        names = _names(type(value))
        parts = tuple(take_apart(getattr(value, name), numbers, arrays) for name in names)
        return "object", type(value).__name__, names, parts
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return "dict", tuple(value), tuple(take_apart(part, numbers, arrays) for part in value.values())
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return kind, tuple(_take_member(part, numbers, arrays) for part in value)
    raise TypeError(f"a {type(value).__name__} cannot be logged")


def _take_member(value: Any, numbers: list[float], arrays: list[NDArray[Any]]) -> Form:
    """Of a list. Plain objects that never change come again in one frame after the other: their parts are kept."""
    kept = _KEPT.get(id(value))
    if kept is not None and kept[0] is value:
        numbers.extend(kept[2])
        return kept[1]
    first = len(numbers)
    kind: Any = type(value)
    form = take_apart(value, numbers, arrays)
    rules = getattr(kind, "__dataclass_params__", None)
    if rules is not None and rules.frozen and all(_is_plain(getattr(value, name)) for name in _names(kind)):
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[id(value)] = value, form, tuple(numbers[first:])
    return form


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(isinstance(part, _PLAIN) for part in value))


def put_together(form: Form, numbers: Iterator[float], arrays: Iterator[NDArray[Any]]) -> Any:
    """The value that was taken apart. Raises HistoryError for a form that none has."""
    match form:
        case ("float",):
            return next(numbers)
        case ("none",):
            next(numbers)
            return None
        case ("text", str(text)):
            return text
        case ("bool",):
            return bool(next(numbers))
        case ("int",):
            return int(next(numbers))
        case ("array", _, _):
            return next(arrays)
        case ("object", str(name), names, parts):
            values = [put_together(part, numbers, arrays) for part in parts]
            return made(name, dict(zip(names, values, strict=True)))
        case ("dict", keys, parts):
            return dict(zip(keys, [put_together(part, numbers, arrays) for part in parts], strict=True))
        case ("tuple", parts):
            return tuple(put_together(part, numbers, arrays) for part in parts)
        case ("list", parts):
            return [put_together(part, numbers, arrays) for part in parts]
    raise HistoryError(f"a frame of another kind of program ({str(form)[:60]})")


def leaves(form: Form, path: str = "") -> Iterator[tuple[str, Form]]:
    """Names and forms of the numbers and arrays in their order, such as `metrics.energy` and `links.gap`."""
    match form:
        case (str(),):
            yield path, form
        case ("array", _, _):
            yield path, form
        case ("object", _, names, parts) | ("dict", names, parts):
            for name, part in zip(names, parts, strict=True):
                yield from leaves(part, f"{path}.{name}" if path else name)
        case ("tuple" | "list", parts):
            for number, part in enumerate(parts):
                yield from leaves(part, f"{path}.{number}")


def structure(form: Form) -> Form:
    """What must stay the same for numbers and arrays of two forms to lie in the same places."""
    return tuple(leaf[1:] if leaf[0] == "array" else () for _, leaf in leaves(form))


def checked(form: Any, depth: int = 0) -> Form:
    """A form read from JSON, as tuples again. Raises HistoryError for what is none."""
    if depth > _DEEPEST or not isinstance(form, list) or not form or not isinstance(form[0], str):
        raise HistoryError("it describes frames in a way that this program does not know")
    kind, *rest = form
    match kind, rest:
        case (("none" | "bool" | "int" | "float"), []):
            return (kind,)
        case "text", [str(text)]:
            return kind, text
        case "array", [str(dtype), [*shape]] if all(type(side) is int and side >= 0 for side in shape):
            if dtype[1:] not in _DTYPES:
                raise HistoryError(f"it holds arrays of {dtype[:20]}")
            return kind, dtype, tuple(shape)
        case "object", [str(name), [*names], [*parts]] if len(names) == len(parts):
            return kind, name, tuple(map(str, names)), tuple(checked(part, depth + 1) for part in parts)
        case "dict", [[*names], [*parts]] if len(names) == len(parts):
            return kind, tuple(map(str, names)), tuple(checked(part, depth + 1) for part in parts)
        case (("tuple" | "list"), [[*parts]]):
            return kind, tuple(checked(part, depth + 1) for part in parts)
    raise HistoryError("it describes frames in a way that this program does not know")


def made(name: str, values: dict[str, Any]) -> Any:
    """An object of a class that a frame refers to; values it does not know are left out. Raises HistoryError."""
    kind = _kinds().get(name)
    if kind is None:
        raise HistoryError(f"it holds a {name}, which this version does not know")
    known = {entry.name for entry in fields(kind)}
    try:
        return kind(**{key: value for key, value in values.items() if key in known})
    except TypeError as error:
        raise HistoryError(f"it was logged by another version: {error}") from None


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind))


@cache
def _kinds() -> dict[str, type]:
    """Frame and every dataclass that its type hints lead to."""
    found: dict[str, type] = {}
    waiting: list[Any] = [Frame]
    while waiting:
        kind = waiting.pop()
        waiting.extend(get_args(kind))
        if isinstance(kind, type) and is_dataclass(kind) and found.get(kind.__name__) is not kind:
            if kind.__name__ in found:
                raise TypeError(f"a frame refers to two classes called {kind.__name__}; logged, they would be mixed up")
            found[kind.__name__] = kind
            waiting.extend(get_type_hints(kind).values())
    return found
