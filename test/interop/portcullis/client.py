"""The whole way: through the gates into a session, back to a handshake, on with a session."""

from dataclasses import dataclass

from .credentials import Credentials
from .handshake import Accepted, Denied, Handshake, Psk
from .schedule import app_key_psk
from .session import Session
from .wire import Address, WebSocketWire


class Refused(Exception):
    """The answer to a question was wrong, and no other is known."""


@dataclass
class Client:
    url: str
    address: Address
    credentials: Credentials
    pin: str | None
    suites: tuple[str, ...] = ("647a", "0020")
    seconds: float = 10

    def connect(self, cut_at: str | None = None) -> Session:
        """`cut_at`: a gate at whose question the connection breaks; the handshake then goes on over another one."""
        key = self.credentials.app_key
        psk = Psk() if key is None else Psk(f"k:{key.key_id}", app_key_psk(key.secret))
        handshake, wire = self._open(psk)
        while True:
            said = handshake.receive()
            if said["t"] == "accepted":
                return Session(handshake.accept(said), wire)
            if said["t"] == "wait":
                continue
            if said["retry"]:
                wire.close(1000)
                raise Refused
            if cut_at is not None and cut_at in [option["gate"] for option in said["options"]]:
                cut_at = None
                wire.cut()
                handshake, wire = self._open(handshake.comeback)
                again = handshake.receive()
                if again["t"] != "challenge" or again["cid"] != said["cid"]:
                    raise Denied("deadline", False, None)
                said = again
            handshake.answer(said, self.credentials)

    def go_on(self, session: Session) -> None:
        """The session over a new connection. What it came with is kept until the new `accepted` was verified."""
        handshake, wire = self._open(session.resume, {"resume": {"next": session.resume_next}})
        session.go_on(self._verdict(handshake), wire)

    def _verdict(self, handshake: Handshake) -> Accepted:
        said = handshake.receive()
        if said["t"] != "accepted":
            raise Denied("out-of-order", False, None)
        return handshake.accept(said)

    def _open(self, psk: Psk, more: dict | None = None) -> tuple[Handshake, WebSocketWire]:
        wire = WebSocketWire(self.url, self.seconds)
        handshake = Handshake(wire, self.seconds, self.pin, self.suites)
        try:
            handshake.open(self.address, psk, more)
        except Exception:
            wire.close(1000)
            raise
        return handshake, wire
