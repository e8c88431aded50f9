"""The vectors of test/vectors/ (section 15)."""

import json
from pathlib import Path

VECTORS = Path(__file__).parents[2] / "vectors"


def load(name: str):
    return json.loads((VECTORS / name).read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def flipped(data: bytes, at: int = -1) -> bytes:
    """The same bytes but for one bit."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
