"""The whole way: through the gates into a session, back to a handshake, on with a session."""

from dataclasses import dataclass

from .credentials import Credentials
from .encoding import ProtocolError
from .frames import ExpiredBundle, WrongServer
from .handshake import Handshake, Psk
from .schedule import app_key_psk
from .session import Session
from .wire import Address, WebSocketWire, closing_on_refusal


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

    def connect(self, box: dict | None = None, cut_at: str | None = None) -> Session:
        """
        `box`: what goes into it beside the address. `cut_at`: a gate at whose question the connection breaks; the
        handshake goes on over another one.
        """
        key = self.credentials.app_key
        psk = Psk() if key is None else Psk(f"k:{key.key_id}", app_key_psk(key.secret))
        handshake = self._open(psk, box)
        answered = None
        while True:
            with closing_on_refusal(handshake.wire):
                said = handshake.receive()
                if said["t"] == "accepted":
                    return Session(handshake.accept(said), handshake.wire, self.credentials)
            if said["retry"]:
                handshake.wire.close(1000)
                raise Refused
            if said["t"] == "wait":
                # Said again, under the same `cid`, with each news of the message.
                if said["cid"] != answered and self.credentials.read_code is not None:
                    answered = said["cid"]
                    handshake.answer_wait(said, self.credentials.read_code())
                continue
            if cut_at in [option["gate"] for option in said["options"]]:
                cut_at = None
                handshake.wire.cut()
                handshake, said = self._come_back(handshake, said["cid"])
            handshake.answer(said, self.credentials)

    def _come_back(self, before: Handshake, cid: str) -> tuple[Handshake, dict]:
        """Nobody is asked twice: the question that stands is said again."""
        handshake = self._open(before.comeback)
        with closing_on_refusal(handshake.wire):
            said = handshake.receive()
            if said["t"] != "challenge" or said["cid"] != cid:
                raise ProtocolError("out-of-order", "challenge.cid")
        return handshake, said

    def go_on(self, session: Session) -> None:
        """The session over a new connection. What it came with is kept until the new `accepted` was verified."""
        handshake = self._open(session.resume, {"resume": {"next": session.resume_next}})
        with closing_on_refusal(handshake.wire):
            said = handshake.receive()
            if said["t"] != "accepted":
                raise ProtocolError("out-of-order", "record.t")
            session.go_on(handshake.accept(said), handshake.wire)

    def _open(self, psk: Psk, more: dict | None = None) -> Handshake:
        wire = WebSocketWire(self.url, self.seconds)
        handshake = Handshake(wire, self.seconds, self.pin, self.suites)
        try:
            with closing_on_refusal(wire):
                handshake.open(self.address, psk, more)
        except (WrongServer, ExpiredBundle):
            wire.close(1000)
            raise
        return handshake
