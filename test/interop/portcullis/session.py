"""A session (section 10): messages with or without places, sealed or not, over one connection after the other."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

from . import plaintexts
from .credentials import Credentials
from .encoding import ProtocolError, base64url, to_json
from .epochs import Epochs
from .frames import Message, addressed_message_up, message_up, parse_message_down
from .handshake import Accepted, Psk
from .inbox import Inbox
from .records import APPLICATION_DOWN, APPLICATION_UP, GROUP, Sealer, open_record
from .wire import Closed, Wire, closing_on_refusal

GAP_SECONDS, CAUGHT_UP_SECONDS = 0.5, 5
SAME_AFTERWARDS = ("sid", "member", "role", "mode", "sealed", "endToEnd", "gates", "expiresAt")


class Revoked(Exception):
    """The server's own word that the session is over."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


@dataclass
class Session:
    accepted: Accepted
    wire: Wire
    credentials: Credentials
    counter: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)
    """Frames that nobody has said to have arrived."""
    told: list[dict] = field(default_factory=list)
    """What the server said that is neither a message nor about them."""
    catch_ups: int = 0

    def __post_init__(self) -> None:
        self.inbox = Inbox(self.accepted.said.get("place"))
        self.epochs = Epochs()
        self._begin()

    @property
    def sid(self) -> str:
        return self.accepted.said["sid"]

    @property
    def resume(self) -> Psk:
        return Psk(f"r:{self.sid}", self.accepted.secrets.resume)

    @property
    def resume_next(self) -> int:
        """The first message that may not have arrived."""
        return min(self.kept, default=self.counter)

    def _begin(self) -> None:
        self._sealer = Sealer(APPLICATION_UP, self.accepted.secrets.client)
        self._asked_at: float | None = None
        self._gap_since: float | None = None
        self._step_up_n = 0
        if "group" in self.accepted.said:
            self.epochs.learn(self.accepted.said["group"])

    def go_on(self, accepted: Accepted, wire: Wire) -> None:
        """Over another connection: the same session by every word of it, or not at all."""
        before, now = self.accepted.said, accepted.said
        if "next" not in now or any(before.get(name) != now.get(name) for name in SAME_AFTERWARDS):
            raise ProtocolError("out-of-order", "accepted")
        self.accepted, self.wire = accepted, wire
        self._begin()
        for counter, frame in sorted(self.kept.items()):
            if counter >= now["next"]:
                self._send_frame(frame)
        if self.inbox.has_places:
            self._catch_up()

    def send(self, body: bytes, to: str | None = None, kind: str | None = None) -> int:
        """`kind`: a class of the policy, before which it may ask again. `to`: of a consumer, one session."""
        if len(body) > self.accepted.said["limits"]["maxBytes"]:
            raise ProtocolError("too-large", "message")
        counter = self.counter
        self.counter += 1
        is_plain = to is None and kind is None
        frame = message_up(counter, body) if is_plain else addressed_message_up(counter, body, to, kind)
        self.kept[counter] = frame
        self._send_frame(frame)
        return counter

    def ask(self, what: str, about: dict, seconds: float) -> dict:
        """`who`, `kick` or `step-up` with a `sid`, of a consumer; `directory` with a `name`, of anybody."""
        ref = base64url(self.counter.to_bytes(8, "big") + bytes([len(self.told) & 255]))
        self._say({"t": what, "ref": ref, **about})
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._next(left)
            for each in self.told:
                if each.get("ref") == ref:
                    return each
        raise TimeoutError

    def _say(self, said: dict) -> None:
        self.wire.send(self._sealer.seal(to_json(said)))

    def _send_frame(self, frame: bytes) -> None:
        self.wire.send(self._sealer.seal(frame) if self.accepted.said["sealed"] else frame)

    def receive(self, count: int, seconds: float) -> list[Message]:
        """So many messages of others, or those that came in the time."""
        deadline = time.monotonic() + seconds
        messages: list[Message] = []
        while True:
            messages += [each for each in self.inbox.ready() if not self._is_own(each)]
            left = deadline - time.monotonic()
            if len(messages) >= count or left <= 0:
                return messages
            self._next(left)

    def _next(self, seconds: float) -> None:
        """Takes one frame, or notices that one is missing."""
        due = self._due_at() - time.monotonic()
        with closing_on_refusal(self.wire):
            with suppress(TimeoutError):
                self._take(self.wire.receive(max(min(seconds, due), 0)))
            self._look_for_what_is_missing()

    def _is_own(self, message: Message) -> bool:
        if message.sid != self.sid:
            return False
        self.kept.pop(message.sequence, None)
        return True

    def _take(self, frame: str | bytes) -> None:
        is_sealed = self.accepted.said["sealed"]
        kind = frame[0] if isinstance(frame, bytes) and frame else 0
        if kind == 0x41 and not is_sealed:
            self.inbox.put(parse_message_down(frame), self.sid)
        elif kind == APPLICATION_DOWN:
            self._take_ours(open_record(APPLICATION_DOWN, self.accepted.secrets.server, frame))
        elif kind == GROUP and is_sealed:
            plaintext = self.epochs.open(frame)
            if plaintext is not None:
                self._take_everybodys(plaintext)
        else:
            raise ProtocolError("out-of-order", "frame")

    def _take_everybodys(self, plaintext: bytes) -> None:
        if plaintext[:1] == b"\x41":
            self.inbox.put(parse_message_down(plaintext), self.sid)
            return
        tick = plaintexts.read(plaintext, plaintexts.GROUP_WIDE, "record")
        self.told.append(tick)
        self.inbox.heard_of(tick["place"])

    def _take_ours(self, plaintext: bytes) -> None:
        if plaintext[:1] == b"\x41":
            # For this one, or once more: not said to everybody without a place.
            message = parse_message_down(plaintext)
            if message.to is None and message.place is None:
                raise ProtocolError("out-of-order", "message")
            self.inbox.put(message, self.sid)
            return
        said = plaintexts.read(plaintext, plaintexts.APPLICATION, "record")
        match said["t"]:
            case "revoked":
                raise Revoked(said["what"])
            case "goodbye":
                raise Closed(plaintexts.CLOSE_NAMES[said["code"]], said["code"])
            case "grant":
                self._learn(said["group"])
            case "caught-up":
                self._caught_up(said)
            case "challenge" | "wait" | "stepped-up":
                self._step_up(said)
            case "arrived":
                self.kept = {counter: frame for counter, frame in self.kept.items() if counter > said["counter"]}
            case _:
                self.told.append(said)

    def _step_up(self, said: dict) -> None:
        if said["n"] <= self._step_up_n:
            return  # overtaken by what is newer
        self._step_up_n = said["n"]
        self.told.append(said)
        if said["t"] != "challenge":
            return
        cid = said["cid"]
        answer = self.credentials.answer(said["options"], self.accepted.secrets.step_up, cid)
        if answer is None:
            self._say({"t": "cancel"})
            return
        option, value = answer
        self._say({"t": "answer", "cid": cid, "gate": option["gate"], "value": value, "at": option["at"]})

    def _learn(self, group: dict) -> None:
        for plaintext in self.epochs.learn(group):
            self._take_everybodys(plaintext)

    def _due_at(self) -> float:
        if self._asked_at is not None:
            return self._asked_at + CAUGHT_UP_SECONDS
        return float("inf") if self._gap_since is None else self._gap_since + GAP_SECONDS

    def _look_for_what_is_missing(self) -> None:
        """Records overtake each other: what lies behind a gap waits for half a second before it is asked for."""
        if self._asked_at is not None:
            if time.monotonic() >= self._due_at():
                self._catch_up()
        elif self.epochs.is_to_be_asked_for:
            self._catch_up()
        elif not self.inbox.has_gap:
            self._gap_since = None
        elif self._gap_since is None:
            self._gap_since = time.monotonic()
        elif time.monotonic() >= self._due_at():
            self._catch_up()

    def _catch_up(self, after: int | None = None) -> None:
        self._asked_at, self._gap_since = time.monotonic(), None
        self.epochs.is_to_be_asked_for = False
        self.inbox.asked()
        self.catch_ups += 1
        self._say({"t": "catch-up", "after": self.inbox.last if after is None else after})

    def _caught_up(self, said: dict) -> None:
        if self.accepted.said["sealed"] != ("group" in said):
            raise ProtocolError("malformed", "caught-up.group")
        self._asked_at = None
        if "group" in said:
            self._learn(said["group"])
        self.inbox.caught_up(said["through"], said["complete"])
        if said["more"]:
            self._catch_up(said["through"])
