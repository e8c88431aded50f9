"""Records (section 6): sealed upwards, opened downwards, and those for everybody with their signature."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .encoding import ProtocolError, expand, lp, pad, u32be, u64be, unpad
from .identity import is_signed

HANDSHAKE_UP, HANDSHAKE_DOWN, APPLICATION_UP, APPLICATION_DOWN, GROUP = 0x10, 0x11, 0x20, 0x21, 0x30
PADDED_MIN, TAG, SIGNATURE = 256, 16, 64
HANDSHAKE_PLAINTEXT_BYTES, APPLICATION_PLAINTEXT_BYTES = 8192, 1_052_672
RECORDS_PER_KEY = 2**23


def _nonce(counter: int) -> bytes:
    return u32be(0) + u64be(counter)


def _decrypt(key: bytes, counter: int, header: bytes, ciphertext: bytes, bytes_max: int) -> bytes:
    if len(ciphertext) > bytes_max + TAG:
        raise ProtocolError("too-large", "record")
    if len(ciphertext) < PADDED_MIN + TAG or counter >= RECORDS_PER_KEY:
        raise ProtocolError("malformed", "record")
    try:
        return unpad(AESGCM(key).decrypt(_nonce(counter), ciphertext, header), "record")
    except InvalidTag as error:
        raise ProtocolError("malformed", "record") from error


@dataclass
class Sealer:
    """Seals the client's records of one kind under one secret, counting from 0."""

    kind: int
    secret: bytes
    counter: int = 0

    def seal(self, plaintext: bytes) -> bytes:
        if self.counter >= RECORDS_PER_KEY:
            raise ProtocolError("out-of-order", "record.counter")
        header = bytes([self.kind]) + u32be(0) + u64be(self.counter)
        sealed = AESGCM(expand(self.secret, "key")).encrypt(_nonce(self.counter), pad(plaintext), header)
        self.counter += 1
        return header + sealed


def open_record(kind: int, secret: bytes, record: bytes) -> bytes:
    """Opens a record 11 or 21: header of 29 bytes, with the writer whose key it is."""
    header, ciphertext = record[:29], record[29:]
    if len(header) < 29:
        raise ProtocolError("malformed", "record")
    if header[0] != kind or header[1:5] != u32be(0):
        raise ProtocolError("out-of-order", "record")
    bytes_max = HANDSHAKE_PLAINTEXT_BYTES if kind == HANDSHAKE_DOWN else APPLICATION_PLAINTEXT_BYTES
    key = expand(secret, "w", header[5:21])
    return _decrypt(key, int.from_bytes(header[21:29], "big"), header, ciphertext, bytes_max)


@dataclass(frozen=True)
class GroupRecord:
    """One for everybody, taken apart. Nothing of it is to be believed before `is_signed_by`."""

    header: bytes
    ciphertext: bytes
    signature: bytes

    @property
    def epoch(self) -> int:
        return int.from_bytes(self.header[1:5], "big")

    @property
    def step(self) -> int:
        return int.from_bytes(self.header[5:9], "big")

    def is_signed_by(self, verify: bytes, socket: str) -> bool:
        """G is everybody's, so anybody could have sealed it: only the epoch's key makes it the server's."""
        return is_signed(verify, "group", lp(socket.encode()) + self.header + self.ciphertext, self.signature)

    def open(self, key: bytes, socket: str) -> bytes:
        """`key`: G of this epoch and step."""
        record_key = expand(key, "g", lp(socket.encode()) + self.header[:25])
        counter = int.from_bytes(self.header[25:33], "big")
        return _decrypt(record_key, counter, self.header, self.ciphertext, APPLICATION_PLAINTEXT_BYTES)


def parse_group_record(record: bytes) -> GroupRecord:
    if len(record) < 33 + PADDED_MIN + TAG + SIGNATURE:
        raise ProtocolError("malformed", "record")
    if record[0] != GROUP:
        raise ProtocolError("out-of-order", "record")
    return GroupRecord(record[:33], record[33:-SIGNATURE], record[-SIGNATURE:])
