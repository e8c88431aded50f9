"""Notation of section 2: numbers, base64url, labels, derivations, padding, strict JSON."""

import base64
import hashlib
import hmac
import json
import re

VERSION = "portcullis.v1"


class ProtocolError(Exception):
    """What a parser refuses (section 13). Says where, never what was there."""

    def __init__(self, code: str, where: str):
        super().__init__(f"{code}: {where}")
        self.code = code
        self.where = where


def u16be(number: int) -> bytes:
    return number.to_bytes(2, "big")


def u32be(number: int) -> bytes:
    return number.to_bytes(4, "big")


def u64be(number: int) -> bytes:
    return number.to_bytes(8, "big")


def lp(data: bytes) -> bytes:
    return u32be(len(data)) + data


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def label(name: str) -> bytes:
    return b"portcullis/1 " + name.encode("ascii") + b"\0"


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    """RFC 5869 section 2.2; an empty salt is 32 zeros."""
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 section 2.3."""
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        out += block
    return out[:length]


def expand(key: bytes, name: str, context: bytes = b"") -> bytes:
    """`Exp` of section 2, always 32 bytes here."""
    return hkdf_expand(key, label(name) + context, 32)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str, where: str) -> bytes:
    """Canonical only: no padding, no foreign characters, unused bits zero."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise ProtocolError("malformed", where)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise ProtocolError("malformed", where)
    return data


def bucket(length: int) -> int:
    """The smallest padded length that holds a plaintext of so many bytes."""
    needed = 4 + length
    for size in (256, 1024):
        if needed <= size:
            return size
    return -(-needed // 4096) * 4096


def pad(plaintext: bytes) -> bytes:
    return (u32be(len(plaintext)) + plaintext).ljust(bucket(len(plaintext)), b"\0")


def unpad(padded: bytes, where: str) -> bytes:
    length = int.from_bytes(padded[:4], "big")
    if len(padded) < 4 or len(padded) != bucket(length) or any(padded[4 + length :]):
        raise ProtocolError("malformed", where)
    return padded[4 : 4 + length]


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def from_json(data: bytes, where: str) -> object:
    """RFC 8259 in UTF-8, names unique, without lone surrogates and without what Python adds to JSON."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no UTF-8
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", where) from error
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name twice")
    return names


def _refuse(constant: str) -> object:
    raise ValueError(constant)
