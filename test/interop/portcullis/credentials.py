"""What a member has, and which option of a challenge it answers with it."""

from collections.abc import Callable
from dataclasses import dataclass
from time import time

from .gates import ident_proof, one_time_code, question_key, question_proof, work
from .identity import AppKey


@dataclass(frozen=True)
class Credentials:
    app_key: AppKey | None = None
    otp_secret: bytes | None = None
    answer_secret: str | None = None
    server_words: str | None = None
    read_code: Callable[[], str] | None = None
    """Waits for the message of a gate that sends one."""

    def answer(self, options: list[dict], th: bytes, cid: str) -> tuple[dict, str] | None:
        """The first option that these credentials pass, with the value for it."""
        for option in options:
            value = self._value(option["gate"], option.get("prompt", {}), th, cid)
            if value is not None:
                return option, value
        return None

    def sent(self, options: list[dict]) -> dict | None:
        """The first option whose code is sent, once it was started."""
        if self.read_code is None:
            return None
        by_code = (each for each in options if each["gate"] in ("email", "sms", "call"))
        return next((each for each in by_code if each.get("prompt", {}).get("by") == "code"), None)

    def _value(self, gate: str, prompt: dict, th: bytes, cid: str) -> str | None:
        if gate == "otp" and self.otp_secret is not None:
            return one_time_code(self.otp_secret, time(), prompt.get("digits", 6))
        if gate == "question" and prompt.get("kind") == "excerpt" and self.answer_secret is not None:
            key = question_key(self.answer_secret)
            return question_proof(key, th, cid, prompt["statement"], prompt["positions"])
        if gate == "ident" and prompt.get("ask") == "type" and self.server_words is not None:
            return ident_proof(th, cid, self.server_words)
        if gate == "captcha":
            return work(prompt["challenge"])
        return None
