"""Who bodies are sealed to beyond the server, verified without taking anything on its word (section 17)."""

import hmac
from dataclasses import dataclass

from .encoding import ProtocolError, base64url, from_json, label, sha256
from .frames import INSTANT, suites
from .identity import is_signed
from .shapes import LABEL, matching, octets, optional, shape, text

CLOCK_MS = 5 * 60_000
PLACE = {"socket": text(1, 63), "name": matching(LABEL)}
IDENTITY = shape(**PLACE, key=octets(32), at=INSTANT, before=optional(octets(16)))
PREKEY = shape(**PLACE, id=octets(8), suites=suites, **{"from": INSTANT}, until=INSTANT)


def fingerprint(key: bytes) -> bytes:
    return sha256(label("e2e id") + key)[:16]


@dataclass(frozen=True)
class Recipient:
    """What is kept: from then on a history without `key` is refused, and a prekey from before `valid_from`."""

    key: bytes
    key_id: bytes
    suites: dict[str, bytes]
    valid_from: int

    @property
    def pin(self) -> str:
        return base64url(fingerprint(self.key))


def verify_entry(
    history: list[dict], prekey: dict, socket: str, name: str, pin: str, now_ms: int, before: Recipient | None = None
) -> Recipient:
    """`history` and `prekey` of an `entry`, `before`: what was taken last time."""
    keys = _verify_history(history, socket, name)
    if not any(hmac.compare_digest(base64url(fingerprint(key)), pin) for key in keys):
        raise ProtocolError("malformed", "entry.pin")
    if before is not None and before.key not in keys:
        raise ProtocolError("malformed", "entry.history")
    said = PREKEY(from_json(prekey["statement"], "prekey"), "prekey")
    if not is_signed(keys[-1], "e2e prekey", prekey["statement"], prekey["sig"]) or not _is_of(said, socket, name):
        raise ProtocolError("malformed", "entry.prekey")
    if not said["from"] - CLOCK_MS <= now_ms <= said["until"] + CLOCK_MS or said["until"] <= said["from"]:
        raise ProtocolError("malformed", "entry.prekey.until")
    if before is not None and before.key == keys[-1] and said["from"] < before.valid_from:
        raise ProtocolError("malformed", "entry.prekey.from")
    return Recipient(keys[-1], said["id"], said["suites"], said["from"])


def _verify_history(history: list[dict], socket: str, name: str) -> list[bytes]:
    keys: list[bytes] = []
    for signed in history:
        said = IDENTITY(from_json(signed["statement"], "identity"), "identity")
        is_good = is_signed(said["key"], "e2e identity", signed["statement"], signed["sig"])
        if keys:
            before, signature = keys[-1], signed.get("sigBefore", b"")
            is_good &= said.get("before") == fingerprint(before)
            is_good &= is_signed(before, "e2e successor", signed["statement"], signature)
        if not is_good or not _is_of(said, socket, name) or said["key"] in keys:
            raise ProtocolError("malformed", "entry.history")
        keys.append(said["key"])
    return keys


def _is_of(said: dict, socket: str, name: str) -> bool:
    return (said["socket"], said["name"]) == (socket, name)
