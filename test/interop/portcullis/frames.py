"""The text frames (sections 4, 5, 9) and the messages 40 and 41 (section 10)."""

from dataclasses import dataclass

from . import plaintexts
from .encoding import ProtocolError, base64url, from_json, label, lp, sha256, to_json, u16be, u64be
from .hpke import SUITES
from .identity import SKEW_SECONDS, Succession, is_pinned, is_signed
from .shapes import CLASS, LABEL, integer, many, matching, octets, optional, shape, text

HELLO_BYTES, DENIED_BYTES, OPEN_BYTES, HEAD_BYTES = 8192, 512, 16384, 1024
INSTANT = integer(0, 2**53 - 1)


def handshake_id(value: object, where: str) -> object:
    name = str(matching(r"[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{22}")(value, where))
    octets(16)(name.partition(".")[2], where)
    return name


HELLO = shape(
    t=matching("hello"),
    bundle=octets(1, 4096),
    sig=octets(64),
    hid=handshake_id,
    nonce=octets(32),
)
SUCCESSION = shape(key=octets(32), **{"from": INSTANT}, until=INSTANT, sig=octets(64))


def suites(value: object, where: str) -> dict[str, bytes]:
    """Public keys of the suites that this client knows; others are passed over."""
    if not isinstance(value, dict):
        raise ProtocolError("malformed", where)
    for name in value:
        matching(r"[0-9a-f]{4}")(name, where)
    known = {name: octets(kem.public_key_bytes)(value[name], where) for name, kem in SUITES.items() if name in value}
    if not known:
        raise ProtocolError("unsupported", where)
    return known


BUNDLE = shape(
    v=many(matching(r"[a-z0-9.-]{1,32}"), 1, 8),
    kid=matching(LABEL),
    suites=suites,
    idKey=octets(32),
    exp=INSTANT,
    successions=optional(many(SUCCESSION, 1, 4)),
)


@dataclass(frozen=True)
class Hello:
    bundle: bytes
    signature: bytes
    hid: str
    nonce: bytes
    kid: str
    suites: dict[str, bytes]
    id_key: bytes
    expires_at: int
    successions: list[Succession]

    @property
    def h0(self) -> bytes:
        parts = (self.bundle, self.signature, self.hid.encode(), self.nonce)
        return sha256(label("h0") + b"".join(lp(part) for part in parts))


def parse_hello(frame: str | bytes) -> Hello:
    if not isinstance(frame, str):
        raise ProtocolError("malformed", "hello")
    if len(frame.encode()) > HELLO_BYTES:
        raise ProtocolError("too-large", "hello")
    hello = HELLO(from_json(frame.encode(), "hello"), "hello")
    bundle = BUNDLE(from_json(hello["bundle"], "bundle"), "bundle")
    if "portcullis.v1" not in bundle["v"]:
        raise ProtocolError("unsupported", "bundle.v")
    successions = [
        Succession(each["key"], each["from"], each["until"], each["sig"]) for each in bundle.get("successions", [])
    ]
    return Hello(
        hello["bundle"],
        hello["sig"],
        hello["hid"],
        hello["nonce"],
        bundle["kid"],
        bundle["suites"],
        bundle["idKey"],
        bundle["exp"],
        successions,
    )


class WrongServer(Exception):
    """Not the server that the pin names; nothing was sent to it."""


class ExpiredBundle(Exception):
    """A hello that is too old; a fresh one may be good."""


def check_hello(hello: Hello, pin: str | None, now: float) -> None:
    """Steps 2 to 4 of section 4, in that order."""
    if pin is not None and not is_pinned(pin, hello.id_key, hello.successions, now):
        raise WrongServer("fingerprint")
    if not is_signed(hello.id_key, "bundle", hello.bundle, hello.signature):
        raise WrongServer("signature")
    if now > hello.expires_at + SKEW_SECONDS:
        raise ExpiredBundle


def open_frame(suite: str, enc: bytes, psk_id: str, box: bytes) -> str:
    return to_json({"t": "open", "suite": suite, "enc": base64url(enc), "psk": psk_id, "box": base64url(box)}).decode()


DENIED = shape(t=matching("denied"), code=plaintexts.CODE, retryAfterMs=plaintexts.RETRY_AFTER)


def parse_denied(frame: str) -> dict:
    """The text `denied`: anybody's word, good for no more than waiting longer."""
    if len(frame.encode()) > DENIED_BYTES:
        raise ProtocolError("too-large", "denied")
    return DENIED(from_json(frame.encode(), "denied"), "denied")


HEAD = shape(
    sid=matching(LABEL),
    member=optional(text(1, 128)),
    msgid=matching(LABEL),
    place=optional(integer(1, 2**53 - 1)),
    to=optional(matching(LABEL)),
    **{"class": optional(matching(CLASS))},
)


@dataclass(frozen=True)
class Message:
    sequence: int
    sid: str
    member: str | None
    msgid: str
    place: int | None
    to: str | None
    kind: str | None
    body: bytes


def message_up(counter: int, body: bytes) -> bytes:
    return b"\x40" + u64be(counter) + body


def addressed_message_up(counter: int, body: bytes, to: str | None, kind: str | None) -> bytes:
    """42: to one session of the socket, or of a class that the policy names."""
    named = {"to": to, "class": kind}
    head = to_json({name: value for name, value in named.items() if value is not None})
    return b"\x42" + u64be(counter) + u16be(len(head)) + head + body


def parse_message_down(frame: bytes) -> Message:
    if len(frame) < 11 or frame[0] != 0x41:
        raise ProtocolError("malformed", "message")
    sequence, head_length = int.from_bytes(frame[1:9], "big"), int.from_bytes(frame[9:11], "big")
    if head_length > HEAD_BYTES:
        raise ProtocolError("too-large", "message.head")
    if len(frame) < 11 + head_length or sequence >= 2**53:
        raise ProtocolError("malformed", "message")
    head = HEAD(from_json(frame[11 : 11 + head_length], "message.head"), "message.head")
    if "to" in head and "place" in head:
        raise ProtocolError("malformed", "message.head")
    about = (head.get(name) for name in ("member", "msgid", "place", "to", "class"))
    return Message(sequence, head["sid"], *about, frame[11 + head_length :])
