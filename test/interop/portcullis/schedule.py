"""The key schedule (sections 5 and 8)."""

import hmac
from dataclasses import dataclass, field

from .encoding import expand, hkdf_extract, label, lp, pad, sha256, u32be
from .hpke import MODE_BASE, MODE_PSK, SUITES, Context, key_schedule


def app_key_psk(secret: bytes) -> bytes:
    return expand(secret, "psk")


@dataclass(frozen=True)
class Opening:
    """What the client has once it has made its `open`."""

    enc: bytes
    box: bytes
    th: bytes
    prk: bytes


def seal_open(
    suite: str, public_key: bytes, h0: bytes, psk: bytes, psk_id: str, payload: bytes, ephemeral: bytes | None = None
) -> Opening:
    kem = SUITES[suite]
    shared_secret, enc = kem.encapsulate(public_key, ephemeral)
    context = open_context(suite, shared_secret, h0, psk, psk_id)
    box = context.seal(b"", pad(payload))
    th = transcript(h0, suite, psk_id, enc, box)
    return Opening(enc, box, th, session_secret(th, context))


def open_context(suite: str, shared_secret: bytes, h0: bytes, psk: bytes, psk_id: str) -> Context:
    mode = MODE_PSK if psk else MODE_BASE
    return key_schedule(SUITES[suite], mode, shared_secret, label("open") + h0, psk, psk_id.encode())


def transcript(h0: bytes, suite: str, psk_id: str, enc: bytes, box: bytes) -> bytes:
    return sha256(label("th") + h0 + b"".join(lp(part) for part in (suite.encode(), psk_id.encode(), enc, box)))


def session_secret(th: bytes, context: Context) -> bytes:
    return hkdf_extract(th, context.export(label("session"), 32))


@dataclass(frozen=True)
class HandshakeSecrets:
    client: bytes
    server: bytes
    park: bytes


def handshake_secrets(prk: bytes) -> HandshakeSecrets:
    return HandshakeSecrets(expand(prk, "c hs"), expand(prk, "s hs"), expand(prk, "park"))


@dataclass
class Chain:
    """The hash over the plaintexts of one direction, with its value after each of them."""

    values: list[bytes] = field(default_factory=lambda: [bytes(32)])

    def add(self, plaintext: bytes) -> None:
        self.values.append(sha256(self.values[-1] + lp(plaintext)))

    @property
    def count(self) -> int:
        return len(self.values) - 1


def finish(th: bytes, client: Chain, client_count: int, server: Chain) -> bytes:
    """`F`. `server` is the chain without `accepted`."""
    client_part = u32be(client_count) + client.values[client_count]
    return sha256(label("fin") + th + client_part + u32be(server.count) + server.values[-1])


def is_same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)


@dataclass(frozen=True)
class ApplicationSecrets:
    client: bytes
    server: bytes
    resume: bytes
    words: bytes
    step_up: bytes


def application_secrets(prk: bytes, finish_value: bytes) -> ApplicationSecrets:
    prk2 = hkdf_extract(finish_value, prk)
    return ApplicationSecrets(*(expand(prk2, name) for name in ("c ap", "s ap", "resume", "words", "stepup")))
