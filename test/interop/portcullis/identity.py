"""Who the server is (section 3): fingerprint, succession, words, picture, and what the identity key signs."""

import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from mnemonic import Mnemonic

from .encoding import ProtocolError, base64url, from_base64url, label, lp, sha256, u64be

SKEW_SECONDS = 60
WORD_LIST = Mnemonic("english").wordlist  # BIP-39
PRIME = 2**255 - 19
ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)
SMALL_ORDER = {0, 1, PRIME - 1, ORDER_EIGHT, PRIME - ORDER_EIGHT}  # their y; OpenSSL takes them


def is_signed(key: bytes, name: str, message: bytes, signature: bytes) -> bool:
    """`Sig` of section 2."""
    return verifies(key, label(name) + message, signature)


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    if int.from_bytes(key, "little") % 2**255 % PRIME in SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: bytes) -> str:
    return base64url(sha256(label("idkey") + key)[:16])


@dataclass(frozen=True)
class Succession:
    key: bytes
    valid_from: int
    until: int
    signature: bytes


def is_pinned(pin: str, id_key: bytes, successions: list[Succession], now: float) -> bool:
    """Whether `id_key` has the pinned fingerprint, or follows without a gap from the key that has it."""
    if hmac.compare_digest(fingerprint(id_key), pin):
        return True
    keys = [each.key for each in successions] + [id_key]
    if len(set(keys)) != len(keys):
        return False
    for start, key in enumerate(keys[:-1]):
        if hmac.compare_digest(fingerprint(key), pin):
            steps = zip(successions[start:], keys[start + 1 :], strict=True)
            return all(_leads_to(each, following, now) for each, following in steps)
    return False


def _leads_to(succession: Succession, following: bytes, now: float) -> bool:
    message = succession.key + following + u64be(succession.valid_from) + u64be(succession.until)
    in_time = succession.valid_from - SKEW_SECONDS <= now < succession.until
    return in_time and is_signed(succession.key, "succession", message, succession.signature)


def is_receipt(
    id_key: bytes, finish: bytes, sid: str, member: str | None, at: int, policy_hash: bytes, signature: bytes
) -> bool:
    """Section 7: the server's word that it let somebody in."""
    texts = lp(sid.encode()) + lp((member or "").encode()) + lp(str(at).encode())
    return is_signed(id_key, "receipt", finish + texts + lp(policy_hash), signature)


def is_book_statement(
    id_key: bytes, socket: str, first: int, last: int, block_hash: str, at_ms: int, signature: bytes
) -> bool:
    """Section 15: what the last line of an audit export says. `block_hash`: hex, of the last block."""
    blocks = lp(socket.encode()) + u64be(first) + u64be(last) + lp(block_hash.encode())
    return is_signed(id_key, "audit", blocks + u64be(at_ms), signature)


def words(secret: bytes) -> str:
    """Six words: the first 66 bits, eleven at a time."""
    number = int.from_bytes(secret[:16], "big") >> (128 - 66)
    return " ".join(WORD_LIST[(number >> shift) & 2047] for shift in range(55, -1, -11))


def picture(key: bytes) -> list[str]:
    """OpenSSH's drunken bishop, 17 by 9, over the 16 bytes of the fingerprint."""
    width, height, marks = 17, 9, " .o+=*BOX@%&#/^"
    visits = [[0] * width for _ in range(height)]
    x, y = width // 2, height // 2
    for byte in from_base64url(fingerprint(key), "fingerprint"):
        for shift in (0, 2, 4, 6):
            step = byte >> shift
            x = min(max(x + (1 if step & 1 else -1), 0), width - 1)
            y = min(max(y + (1 if step & 2 else -1), 0), height - 1)
            visits[y][x] += 1
    rows = [[marks[min(count, len(marks) - 1)] for count in row] for row in visits]
    rows[height // 2][width // 2] = "S"
    rows[y][x] = "E"
    return ["".join(row) for row in rows]


@dataclass(frozen=True)
class AppKey:
    key_id: str
    secret: bytes
    pin: str


def parse_app_key(text: str) -> AppKey:
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != "pc1" or len(parts[1]) != 16:
        raise ProtocolError("malformed", "app key")
    secret, pin = from_base64url(parts[2], "app key"), from_base64url(parts[3], "app key")
    if len(secret) != 32 or len(pin) != 16:
        raise ProtocolError("malformed", "app key")
    return AppKey(parts[1], secret, parts[3])
