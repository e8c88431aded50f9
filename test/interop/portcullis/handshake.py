"""From hello to the verdict (sections 4, 5, 7, 9) over one connection."""

import time
from dataclasses import dataclass, field

from . import plaintexts
from .credentials import Credentials
from .encoding import ProtocolError, to_json
from .frames import check_hello, open_frame, parse_denied, parse_hello
from .identity import is_receipt
from .records import HANDSHAKE_DOWN, HANDSHAKE_UP, Sealer, open_record
from .schedule import (
    ApplicationSecrets,
    Chain,
    application_secrets,
    finish,
    handshake_secrets,
    is_same,
    seal_open,
)
from .wire import Address, Wire


class Denied(Exception):
    """`sealed`: the server's word. Otherwise anybody's, and no reason for more than waiting."""

    def __init__(self, code: str, is_sealed: bool, retry_after_ms: int | None):
        super().__init__(code)
        self.code = code
        self.is_sealed = is_sealed
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True)
class Psk:
    """What the box is sealed under: an app key, a handshake or session that goes on, or nothing (Base mode)."""

    id: str = ""
    secret: bytes = b""


@dataclass(frozen=True)
class Accepted:
    said: dict
    suite: str
    secrets: ApplicationSecrets
    has_receipt: bool


@dataclass
class Handshake:
    """`ephemeral` fixes the KEM's key and `now` the clock, for vectors."""

    wire: Wire
    seconds: float
    pin: str | None
    suites: tuple[str, ...] = ("647a", "0020")
    ephemeral: bytes | None = None
    now: float | None = None
    client: Chain = field(default_factory=Chain)
    server: Chain = field(default_factory=Chain)

    def open(self, address: Address, psk: Psk, more: dict | None = None) -> None:
        """`more`: what the payload has beside `dst`."""
        self._deadline = time.monotonic() + self.seconds
        self.hello = parse_hello(self._receive())
        check_hello(self.hello, self.pin, time.time() if self.now is None else self.now)
        self.suite = next((each for each in self.suites if each in self.hello.suites), None)
        if self.suite is None:
            raise ProtocolError("unsupported", "bundle.suites")
        payload = to_json({"dst": address.dst, **(more or {})})
        public_key = self.hello.suites[self.suite]
        opening = seal_open(self.suite, public_key, self.hello.h0, psk.secret, psk.id, payload, self.ephemeral)
        self.th, self._prk = opening.th, opening.prk
        self._secrets = handshake_secrets(opening.prk)
        self._sealer = Sealer(HANDSHAKE_UP, self._secrets.client)
        self.wire.send(open_frame(self.suite, opening.enc, psk.id, opening.box))

    @property
    def comeback(self) -> Psk:
        """With what the handshake goes on over another connection, once a record was heard on this one."""
        return Psk(f"h:{self.hello.hid}", self._secrets.park)

    def receive(self) -> dict:
        """The next plaintext of the server. A verdict against the client is raised."""
        frame = self._receive()
        if isinstance(frame, str):
            said = parse_denied(frame)
            raise Denied(said["code"], False, said.get("retryAfterMs"))
        plaintext = open_record(HANDSHAKE_DOWN, self._secrets.server, frame)
        said = plaintexts.read(plaintext, plaintexts.HANDSHAKE, "record")
        if said["n"] != self.server.count + 1:
            raise ProtocolError("out-of-order", "record.n")
        if said["t"] in ("denied", "goodbye"):
            raise Denied(said["code"], True, said.get("retryAfterMs"))
        if said["t"] != "accepted":
            self.server.add(plaintext)
        return said

    def send(self, said: dict) -> None:
        plaintext = to_json({"n": self.client.count + 1, **said})
        self.client.add(plaintext)
        self.wire.send(self._sealer.seal(plaintext))

    def answer(self, challenge: dict, credentials: Credentials) -> None:
        cid = challenge["cid"]
        answer = credentials.answer(challenge["options"], self.th, cid)
        started = None if answer else credentials.sent(challenge["options"])
        if answer is not None:
            self.send({"t": "answer", "cid": cid, "gate": answer[0]["gate"], "value": answer[1], "at": answer[0]["at"]})
        elif started is not None:
            self.send({"t": "start", "cid": cid, "gate": started["gate"], "at": started["at"]})
        else:
            self.send({"t": "cancel"})
            raise Denied("closed", False, None)

    def answer_wait(self, wait: dict, value: str) -> None:
        self.send({"t": "answer", "cid": wait["cid"], "gate": wait["gate"], "value": value, "at": wait["at"]})

    def accept(self, said: dict) -> Accepted:
        """Nothing counts before `F` was compared: it is what binds both to the same conversation."""
        if said["nC"] > self.client.count:
            raise ProtocolError("out-of-order", "accepted.nC")
        value = finish(self.th, self.client, said["nC"], self.server)
        if not is_same(value, said["F"]):
            raise ProtocolError("out-of-order", "accepted.F")
        receipt = said.get("receipt")
        if receipt is not None:
            texts = (said["sid"], said.get("member"), receipt["at"])
            if not is_receipt(self.hello.id_key, value, *texts, said["policyHash"], receipt["sig"]):
                raise ProtocolError("malformed", "accepted.receipt")
        return Accepted(said, self.suite, application_secrets(self._prk, value), receipt is not None)

    def _receive(self) -> str | bytes:
        return self.wire.receive(self._deadline - time.monotonic())
