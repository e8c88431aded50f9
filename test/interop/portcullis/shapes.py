"""Strict objects: what a JSON value must look like, and what it becomes once read (section 2)."""

import re
from collections.abc import Callable

from .encoding import ProtocolError, from_base64url

Reader = Callable[[object, str], object]

LABEL = r"[A-Za-z0-9_-]{1,64}"
GATE = r"[a-z]{2,16}"
POSITION = r"[A-Za-z0-9._-]{1,64}"
CLASS = r"[a-z][a-z0-9-]{0,31}"


def characters(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def integer(low: int, high: int) -> Reader:
    def read(value: object, where: str) -> object:
        if type(value) is not int or not low <= value <= high:
            raise ProtocolError("malformed", where)
        return value

    return read


def boolean(value: object, where: str) -> object:
    if type(value) is not bool:
        raise ProtocolError("malformed", where)
    return value


def text(low: int, high: int) -> Reader:
    def read(value: object, where: str) -> object:
        if not isinstance(value, str) or not low <= characters(value) <= high:
            raise ProtocolError("malformed", where)
        return value

    return read


def matching(pattern: str) -> Reader:
    def read(value: object, where: str) -> object:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ProtocolError("malformed", where)
        return value

    return read


def octets(low: int, high: int | None = None) -> Reader:
    """base64url of so many bytes; read as bytes."""

    def read(value: object, where: str) -> object:
        data = from_base64url(text(0, 2 * (high or low))(value, where), where)
        if not low <= len(data) <= (high or low):
            raise ProtocolError("malformed", where)
        return data

    return read


def nullable(inner: Reader) -> Reader:
    return lambda value, where: None if value is None else inner(value, where)


def many(inner: Reader, low: int, high: int) -> Reader:
    def read(value: object, where: str) -> object:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise ProtocolError("malformed", where)
        return [inner(each, f"{where}.{index}") for index, each in enumerate(value)]

    return read


def shape(**fields: Reader) -> Reader:
    """An object with these fields and no others; a field whose reader came from `optional` may be left out."""

    def read(value: object, where: str) -> object:
        if not isinstance(value, dict) or not set(value) <= set(fields):
            raise ProtocolError("malformed", where)
        missing = [name for name, reader in fields.items() if name not in value and not hasattr(reader, "is_optional")]
        if missing:
            raise ProtocolError("malformed", f"{where}.{missing[0]}")
        return {name: fields[name](each, f"{where}.{name}") for name, each in value.items()}

    return read


def optional(inner: Reader) -> Reader:
    def read(value: object, where: str) -> object:
        return inner(value, where)

    read.is_optional = True
    return read


def prompt(value: object, where: str) -> object:
    """An object of the gate: names of letters and digits, nested at most 8 deep."""
    if not isinstance(value, dict):
        raise ProtocolError("malformed", where)
    _nested(value, where, 8)
    return value


def _nested(value: object, where: str, depth: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise ProtocolError("malformed", where)
    if isinstance(value, dict) and not all(re.fullmatch(r"[A-Za-z0-9]{1,32}", name) for name in value):
        raise ProtocolError("malformed", where)
    for each in value.values() if isinstance(value, dict) else value:
        _nested(each, where, depth - 1)
