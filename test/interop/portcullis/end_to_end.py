"""A member who speaks with a recipient beyond the server (section 17)."""

import secrets
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .directory import fingerprint, verify_entry
from .encoding import ProtocolError
from .frames import Message
from .hpke import SUITES
from .sealed_body import Content, Mailbox, ReplyKey, seal_body
from .session import Session


class Correspondent:
    """With keys of its own for this session: what it signs by, and what it is answered by."""

    def __init__(self, session: Session, socket: str, name: str, pin: str, seconds: float):
        self._session, self._socket = session, socket
        entry = session.ask("directory", {"name": name}, seconds)
        if entry["t"] != "entry" or "prekey" not in entry:
            raise ProtocolError("unsupported", "entry")
        now_ms = int(time.time() * 1000)
        self.recipient = verify_entry(entry["history"], entry["prekey"], socket, name, pin, now_ms)
        self.suite = next(each for each in SUITES if each in self.recipient.suites)
        self._to = ReplyKey(self.recipient.key_id, self.suite, self.recipient.suites[self.suite])
        self._signer = Ed25519PrivateKey.generate()
        self._key = self._signer.public_key().public_bytes_raw()
        secret = secrets.token_bytes(32)
        self._reply = ReplyKey(secrets.token_bytes(8), self.suite, SUITES[self.suite].public_key(secret))
        self._mailbox = Mailbox(socket, fingerprint(self._key), {self._reply.key_id: (self.suite, secret)})
        self._sequence = 0

    def send(self, text: bytes) -> int:
        content = Content(self._key, secrets.token_bytes(16), self._sequence, self._reply.written(), text)
        self._sequence += 1
        recipient = fingerprint(self.recipient.key)
        return self._session.send(
            seal_body(self._socket, self._session.sid, recipient, self._to, self._signer, content)
        )

    def open(self, message: Message) -> bytes:
        """An answer, by the recipient's key and no other."""
        content = self._mailbox.open(message.sid, message.body)
        if content.sender != self.recipient.key:
            raise ProtocolError("malformed", "body.sender")
        return content.text
