"""What answers the gates (section 9) that a program can pass by itself."""

import base64
import hashlib
import hmac
import struct

from .encoding import ProtocolError, base64url, expand, from_base64url, label, lp, sha256, to_json

WORK_COST_MAX = 10_000


def one_time_code(secret: bytes, now: float, digits: int = 6) -> str:
    """RFC 6238 with SHA-1 and steps of 30 s."""
    digest = hmac.digest(secret, struct.pack(">Q", int(now) // 30), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def from_base32(text: str) -> bytes:
    return base64.b32decode(text + "=" * (-len(text) % 8))


def question_key(secret_text: str) -> bytes:
    """Of a member's answer secret, `pa1.…`."""
    if not secret_text.startswith("pa1."):
        raise ProtocolError("malformed", "answer secret")
    return expand(from_base64url(secret_text[4:], "answer secret"), "q")


def excerpt(statement: str, positions: list[int]) -> str:
    """The words that are asked for."""
    words = statement.split(" ")
    if any(type(place) is not int for place in positions) or positions != sorted(set(positions)):
        raise ProtocolError("malformed", "positions")
    if not positions or positions[0] < 1 or positions[-1] > len(words):
        raise ProtocolError("malformed", "positions")
    return " ".join(words[place - 1] for place in positions)


def question_proof(key: bytes, th: bytes, cid: str, statement: str, positions: list[int]) -> str:
    choice = excerpt(statement, positions)
    said = label("question") + th + lp(cid.encode()) + sha256(statement.encode()) + lp(choice.encode())
    return base64url(hmac.digest(key, said, "sha256"))


def ident_proof(th: bytes, cid: str, words: str) -> str:
    return base64url(sha256(label("ident") + th + lp(cid.encode()) + lp(words.encode())))


def work(challenge: dict) -> str:
    """ALTCHA 2: the first counter whose key begins with the prefix, and that key."""
    parameters = challenge["parameters"]
    if parameters["algorithm"] != "PBKDF2/SHA-256" or parameters["keyLength"] != 32:
        raise ProtocolError("unsupported", "captcha")
    if parameters["cost"] > WORK_COST_MAX:
        raise ProtocolError("too-large", "captcha.cost")
    nonce, salt = bytes.fromhex(parameters["nonce"]), bytes.fromhex(parameters["salt"])
    prefix, counter = parameters["keyPrefix"], 0
    while True:
        password = nonce + counter.to_bytes(4, "big")
        key = hashlib.pbkdf2_hmac("sha256", password, salt, parameters["cost"], 32)
        if key.hex().startswith(prefix):
            solution = {"counter": counter, "derivedKey": key.hex()}
            return base64.b64encode(to_json({"challenge": challenge, "solution": solution})).decode()
        counter += 1
