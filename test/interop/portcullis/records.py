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
class Group:
    """What opens the records for everybody of one epoch."""

    socket: str
    epoch: int
    key: bytes
    verify: bytes


def epoch_of(record: bytes) -> int:
    return int.from_bytes(record[1:5], "big")


def open_group_record(group: Group, record: bytes) -> bytes:
    """The signature is looked at before anything else: G is everybody's, so anybody could have sealed it."""
    header, ciphertext, signature = record[:33], record[33:-SIGNATURE], record[-SIGNATURE:]
    if len(record) < 33 + PADDED_MIN + TAG + SIGNATURE:
        raise ProtocolError("malformed", "record")
    socket = lp(group.socket.encode())
    if not is_signed(group.verify, "group", socket + header + ciphertext, signature):
        raise ProtocolError("malformed", "record")
    if header[0] != GROUP or epoch_of(record) != group.epoch or header[5:9] != u32be(0):
        raise ProtocolError("out-of-order", "record")
    key = expand(group.key, "g", socket + header[:25])
    counter = int.from_bytes(header[25:33], "big")
    return _decrypt(key, counter, header, ciphertext, APPLICATION_PLAINTEXT_BYTES)
