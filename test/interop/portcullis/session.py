"""A session (section 10): messages with or without places, sealed or not, over one connection after the other."""

import time
from dataclasses import dataclass, field

from . import plaintexts
from .encoding import ProtocolError, to_json
from .frames import Message, message_up, parse_message_down
from .handshake import Accepted, Psk
from .inbox import Inbox
from .records import APPLICATION_DOWN, APPLICATION_UP, GROUP, Group, Sealer, epoch_of, open_group_record, open_record
from .wire import Closed, Wire

EPOCHS_KEPT, UNREAD_RECORDS_MAX, GAP_SECONDS = 3, 64, 0.5
SAME_AFTERWARDS = ("sid", "member", "sealed", "gates", "expiresAt")


class Revoked(Exception):
    """The server's own word that the session is over."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


@dataclass
class Session:
    accepted: Accepted
    wire: Wire
    counter: int = 0
    kept: dict[int, bytes] = field(default_factory=dict)
    ticks: int = 0
    catch_ups: int = 0
    _groups: dict[int, Group] = field(default_factory=dict)
    _unread: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        said = self.accepted.said
        self.inbox = Inbox(said.get("place"))
        self._begin()

    @property
    def sid(self) -> str:
        return self.accepted.said["sid"]

    @property
    def epochs(self) -> list[int]:
        return sorted(self._groups)

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
            self._learn(self.accepted.said["group"])

    def go_on(self, accepted: Accepted, wire: Wire) -> None:
        """Over another connection: the same session by every word of it, or not at all."""
        before, now = self.accepted.said, accepted.said
        if "next" not in now or any(before.get(name) != now.get(name) for name in SAME_AFTERWARDS):
            raise ProtocolError("out-of-order", "accepted")
        self.accepted, self.wire = accepted, wire
        self._begin()
        for counter, body in sorted(self.kept.items()):
            if counter >= now["next"]:
                self._send_message(counter, body)
        if self.inbox.has_places:
            self._catch_up()

    def send(self, body: bytes) -> int:
        if len(body) > self.accepted.said["limits"]["maxBytes"]:
            raise ProtocolError("too-large", "message")
        counter = self.counter
        self.counter += 1
        self.kept[counter] = body
        self._send_message(counter, body)
        return counter

    def _send_message(self, counter: int, body: bytes) -> None:
        frame = message_up(counter, body)
        self.wire.send(self._sealer.seal(frame) if self.accepted.said["sealed"] else frame)

    def receive(self, count: int, seconds: float) -> list[Message]:
        """So many messages of others, or those that came in the time."""
        deadline = time.monotonic() + seconds
        messages: list[Message] = []
        while len(messages) < count:
            now = time.monotonic()
            if now >= deadline:
                break
            try:
                frame = self.wire.receive(min(deadline, self._gap_deadline()) - now)
            except TimeoutError:
                frame = None
            if frame is not None:
                self._take(frame)
            self._look_at_gap()
            messages += [each for each in self.inbox.ready() if not self._is_own(each)]
        return messages

    def _is_own(self, message: Message) -> bool:
        if message.sid != self.sid:
            return False
        self.kept.pop(message.sequence, None)
        return True

    def _take(self, frame: str | bytes) -> None:
        if isinstance(frame, str):
            raise ProtocolError("out-of-order", "frame")
        is_sealed = self.accepted.said["sealed"]
        kind = frame[0] if frame else 0
        if kind == 0x41 and not is_sealed:
            self.inbox.put(parse_message_down(frame), self.sid)
        elif kind == APPLICATION_DOWN:
            self._take_plaintext(open_record(APPLICATION_DOWN, self.accepted.secrets.server, frame))
        elif kind == GROUP and is_sealed:
            self._take_group(frame)
        else:
            raise ProtocolError("out-of-order", "frame")

    def _take_plaintext(self, plaintext: bytes) -> None:
        if plaintext[:1] == b"\x41":
            message = parse_message_down(plaintext)
            # Only those for one and those that answer a catch-up come so; a sealed record is never less than a place.
            self.inbox.put(message, self.sid)
            return
        said = plaintexts.read(plaintext, plaintexts.APPLICATION, "record")
        if said["t"] == "revoked":
            raise Revoked(said["what"])
        if said["t"] == "goodbye":
            raise Closed(plaintexts.CLOSE_NAMES[said["code"]], said["code"])
        if said["t"] == "grant":
            self._learn(said["group"])
        elif said["t"] == "caught-up":
            self._caught_up(said)

    def _take_group(self, record: bytes) -> None:
        group = self._groups.get(epoch_of(record))
        if group is None:
            if len(self._unread) < UNREAD_RECORDS_MAX:
                self._unread.append(record)
            if self._asked_at is None:
                self._catch_up()
            return
        plaintext = open_group_record(group, record)
        if plaintext[:1] == b"\x41":
            self.inbox.put(parse_message_down(plaintext), self.sid)
            return
        tick = plaintexts.read(plaintext, plaintexts.GROUP_WIDE, "record")
        self.ticks += 1
        self.inbox.heard_of(tick["place"])

    def _learn(self, said: dict) -> None:
        group = Group(said["socket"], said["epoch"], said["key"], said["verify"])
        if self._groups and group.socket != next(iter(self._groups.values())).socket:
            raise ProtocolError("malformed", "group.socket")
        self._groups[group.epoch] = group
        for epoch in self.epochs[:-EPOCHS_KEPT]:
            del self._groups[epoch]
        waiting, self._unread = self._unread, []
        for record in waiting:
            self._take_group(record)

    def _gap_deadline(self) -> float:
        return time.monotonic() + 60 if self._gap_since is None else self._gap_since + GAP_SECONDS

    def _look_at_gap(self) -> None:
        """Records overtake each other: what lies behind a gap waits for half a second before it is asked for."""
        if not self.inbox.has_gap or self._asked_at is not None:
            self._gap_since = None
        elif self._gap_since is None:
            self._gap_since = time.monotonic()
        elif time.monotonic() >= self._gap_since + GAP_SECONDS:
            self._gap_since = None
            self._catch_up()

    def _catch_up(self, after: int | None = None) -> None:
        self._asked_at = time.monotonic()
        self.inbox.asked()
        self.catch_ups += 1
        after = self.inbox.last if after is None else after
        self.wire.send(self._sealer.seal(to_json({"t": "catch-up", "after": after})))

    def _caught_up(self, said: dict) -> None:
        self._asked_at = None
        if "group" in said:
            self._learn(said["group"])
        self.inbox.caught_up(said["through"], said["complete"])
        if said["more"]:
            self._catch_up(said["through"])
