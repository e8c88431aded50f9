"""Bodies that only their recipient opens, from the sender to beyond the server (section 17)."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .encoding import ProtocolError, label, lp, pad, u64be, unpad
from .hpke import MODE_BASE, SUITES, key_schedule
from .identity import is_signed

VERSION, HEADER_BYTES, SIGNATURE_BYTES = b"\1", 27, 64


@dataclass(frozen=True)
class ReplyKey:
    """What an answer is sealed to: of the sender, for one session."""

    key_id: bytes
    suite: str
    public_key: bytes

    def written(self) -> bytes:
        return self.key_id + bytes.fromhex(self.suite) + self.public_key


@dataclass(frozen=True)
class Content:
    sender: bytes
    message_id: bytes
    sequence: int
    reply: bytes
    text: bytes

    def written(self) -> bytes:
        numbers = self.sender + self.message_id + u64be(self.sequence)
        return numbers + lp(self.reply) + lp(self.text)


def seal_body(
    socket: str, sid: str, recipient: bytes, to: ReplyKey, signer: Ed25519PrivateKey, content: Content
) -> bytes:
    """`recipient`: fingerprint. `to`: the recipient's prekey, or the reply key of whoever is answered."""
    header = VERSION + recipient + to.key_id + bytes.fromhex(to.suite)
    signature = signer.sign(label("e2e") + _signed(socket, sid, header, content.written()))
    kem = SUITES[to.suite]
    shared_secret, enc = kem.encapsulate(to.public_key)
    context = key_schedule(kem, MODE_BASE, shared_secret, _info(socket, sid, recipient), b"", b"")
    return header + enc + context.seal(header, pad(content.written() + signature))


@dataclass
class Mailbox:
    """What one fingerprint can open: secrets by key id, and how far each sender has come in each session.

    A session is told by its name and by the key id of `reply`: names are the server's.
    """

    socket: str
    fingerprint: bytes
    secrets: dict[bytes, tuple[str, bytes]]
    _sequences: dict[tuple[bytes, str, bytes], int] = field(default_factory=dict)

    def open(self, sid: str, body: bytes) -> Content:
        """`sid`: of the message's head."""
        header = body[:HEADER_BYTES]
        suite, secret = self.secrets.get(header[17:25], ("", b""))
        if header[:17] != VERSION + self.fingerprint or suite == "" or header[25:] != bytes.fromhex(suite):
            raise ProtocolError("malformed", "body")
        kem = SUITES[suite]
        sealed = body[HEADER_BYTES:]
        enc, box = sealed[: kem.enc_bytes], sealed[kem.enc_bytes :]
        shared_secret = kem.decapsulate(enc, secret)
        info = _info(self.socket, sid, self.fingerprint)
        context = key_schedule(kem, MODE_BASE, shared_secret, info, b"", b"")
        plaintext = unpad(context.open(header, box), "body")
        content, signature = plaintext[:-SIGNATURE_BYTES], plaintext[-SIGNATURE_BYTES:]
        read = parse_content(content)
        if not is_signed(read.sender, "e2e", _signed(self.socket, sid, header, content), signature):
            raise ProtocolError("malformed", "body")
        session = (read.sender, sid, read.reply[:8])
        if read.sequence <= self._sequences.get(session, -1):
            raise ProtocolError("out-of-order", "body.seq")
        self._sequences[session] = read.sequence
        return read


def parse_content(content: bytes) -> Content:
    reply, rest = _take(content[56:])
    text, rest = _take(rest)
    if len(content) < 56 or rest:
        raise ProtocolError("malformed", "body")
    return Content(content[:32], content[32:48], int.from_bytes(content[48:56], "big"), reply, text)


def parse_reply_key(written: bytes) -> ReplyKey:
    suite = written[8:10].hex()
    if suite not in SUITES or len(written) != 10 + SUITES[suite].public_key_bytes:
        raise ProtocolError("malformed", "body.reply")
    return ReplyKey(written[:8], suite, written[10:])


def _take(data: bytes) -> tuple[bytes, bytes]:
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < max(4, end):
        raise ProtocolError("malformed", "body")
    return data[4:end], data[end:]


def _info(socket: str, sid: str, recipient: bytes) -> bytes:
    return label("e2e") + lp(socket.encode()) + lp(sid.encode()) + recipient


def _signed(socket: str, sid: str, header: bytes, content: bytes) -> bytes:
    return lp(socket.encode()) + lp(sid.encode()) + header + content
