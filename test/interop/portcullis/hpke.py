"""HPKE (RFC 9180) with HKDF-SHA256 and AES-GCM, modes base and psk, for the two KEMs of section 3.

`cryptography` gives X25519, ML-KEM-768 and AES-GCM; the rest is here, because its own HPKE has no mode psk.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .encoding import ProtocolError, hkdf_expand, hkdf_extract, u16be

MODE_BASE, MODE_PSK = 0, 1
XWING_LABEL = bytes.fromhex("5c2e2f2f5e5c")


class Kem(Protocol):
    id: int
    public_key_bytes: int
    enc_bytes: int

    def encapsulate(self, public_key: bytes, ephemeral: bytes | None = None) -> tuple[bytes, bytes]:
        """Gives shared secret and enc. `ephemeral`: a fixed key, for vectors."""

    def decapsulate(self, enc: bytes, private_key: bytes) -> bytes: ...

    def public_key(self, private_key: bytes) -> bytes: ...


def labeled_extract(suite: bytes, salt: bytes, name: bytes, ikm: bytes) -> bytes:
    return hkdf_extract(salt, b"HPKE-v1" + suite + name + ikm)


def labeled_expand(suite: bytes, secret: bytes, name: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(secret, u16be(length) + b"HPKE-v1" + suite + name + info, length)


def diffie_hellman(private_key: bytes, public_key: bytes) -> bytes:
    """X25519. `cryptography` refuses a result of zeros, as RFC 9180 section 7.1.4 asks."""
    try:
        return X25519PrivateKey.from_private_bytes(private_key).exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError as error:
        raise ProtocolError("malformed", "key") from error


def x25519_public(private_key: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


class DhkemX25519:
    """RFC 9180 section 4.1."""

    id = 0x0020
    public_key_bytes = 32
    enc_bytes = 32

    def encapsulate(self, public_key: bytes, ephemeral: bytes | None = None) -> tuple[bytes, bytes]:
        private_key = ephemeral or X25519PrivateKey.generate().private_bytes_raw()
        enc = x25519_public(private_key)
        return self._secret(diffie_hellman(private_key, public_key), enc + public_key), enc

    def decapsulate(self, enc: bytes, private_key: bytes) -> bytes:
        return self._secret(diffie_hellman(private_key, enc), enc + x25519_public(private_key))

    def public_key(self, private_key: bytes) -> bytes:
        return x25519_public(private_key)

    def _secret(self, shared: bytes, context: bytes) -> bytes:
        suite = b"KEM" + u16be(self.id)
        return labeled_expand(suite, labeled_extract(suite, b"", b"eae_prk", shared), b"shared_secret", context, 32)


class MlKem768X25519:
    """ML-KEM-768 and X25519 together, as in X-Wing: who breaks one of them has nothing."""

    id = 0x647A
    public_key_bytes = 1216
    enc_bytes = 1120

    def encapsulate(self, public_key: bytes, ephemeral: bytes | None = None) -> tuple[bytes, bytes]:
        if len(public_key) != self.public_key_bytes:
            raise ProtocolError("malformed", "key")
        lattice, curve = public_key[:1184], public_key[1184:]
        try:
            secret, ciphertext = MLKEM768PublicKey.from_public_bytes(lattice).encapsulate()
        except ValueError as error:
            raise ProtocolError("malformed", "key") from error
        private_key = ephemeral or X25519PrivateKey.generate().private_bytes_raw()
        enc = x25519_public(private_key)
        return self._combine(secret, diffie_hellman(private_key, curve), enc, curve), ciphertext + enc

    def decapsulate(self, enc: bytes, private_key: bytes) -> bytes:
        if len(enc) != self.enc_bytes:
            raise ProtocolError("malformed", "enc")
        lattice, curve = self.expand(private_key)
        secret = lattice.decapsulate(enc[:1088])
        return self._combine(secret, diffie_hellman(curve, enc[1088:]), enc[1088:], x25519_public(curve))

    def public_key(self, private_key: bytes) -> bytes:
        lattice, curve = self.expand(private_key)
        return lattice.public_key().public_bytes_raw() + x25519_public(curve)

    def expand(self, seed: bytes) -> tuple[MLKEM768PrivateKey, bytes]:
        """The two private keys that a seed of 32 bytes stands for."""
        keys = hashlib.shake_256(seed).digest(96)
        return MLKEM768PrivateKey.from_seed_bytes(keys[:64]), keys[64:]

    @staticmethod
    def _combine(lattice: bytes, curve: bytes, enc: bytes, public_key: bytes) -> bytes:
        return hashlib.sha3_256(lattice + curve + enc + public_key + XWING_LABEL).digest()


@dataclass
class Context:
    """A context that seals or opens (RFC 9180 section 5.2), and exports."""

    suite: bytes
    key: bytes
    base_nonce: bytes
    exporter_secret: bytes
    sequence: int = field(default=0)

    def _nonce(self) -> bytes:
        mask = self.sequence.to_bytes(12, "big")
        self.sequence += 1
        return bytes(a ^ b for a, b in zip(self.base_nonce, mask, strict=True))

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        return AESGCM(self.key).encrypt(self._nonce(), plaintext, aad)

    def open(self, aad: bytes, ciphertext: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(self._nonce(), ciphertext, aad)
        except InvalidTag as error:
            raise ProtocolError("malformed", "box") from error

    def export(self, context: bytes, length: int) -> bytes:
        return labeled_expand(self.suite, self.exporter_secret, b"sec", context, length)


def key_schedule(
    kem: Kem, mode: int, shared_secret: bytes, info: bytes, psk: bytes, psk_id: bytes, key_bytes: int = 32
) -> Context:
    """RFC 9180 section 5.1. `key_bytes`: 32 for AES-256-GCM, 16 for the AES-128-GCM of its vectors."""
    if (mode == MODE_PSK) != bool(psk) or bool(psk) != bool(psk_id):
        raise ValueError("PSK and mode do not agree")  # section 5: both sides MUST assert the mode
    suite = b"HPKE" + u16be(kem.id) + u16be(1) + u16be({16: 1, 32: 2}[key_bytes])
    id_hash = labeled_extract(suite, b"", b"psk_id_hash", psk_id)
    context = bytes([mode]) + id_hash + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared_secret, b"secret", psk)
    return Context(
        suite,
        labeled_expand(suite, secret, b"key", context, key_bytes),
        labeled_expand(suite, secret, b"base_nonce", context, 12),
        labeled_expand(suite, secret, b"exp", context, 32),
    )


SUITES: dict[str, Kem] = {"647a": MlKem768X25519(), "0020": DhkemX25519()}  # the preferred one first
