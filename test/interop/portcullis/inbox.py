"""Puts messages into their order: by places where there are any, else by what each sender counts (section 10)."""

from collections import OrderedDict

from .encoding import ProtocolError
from .frames import Message

MSGIDS_KEPT = 4096


class Inbox:
    def __init__(self, place: int | None):
        """`place`: that of the last message before the session, where messages have places."""
        self.has_places = place is not None
        self.last = place or 0
        self.lost: list[tuple[int, int]] = []
        self._known = self.last
        self._asked_known = self.last
        self.behind: dict[int, Message] = {}
        self._ready: list[Message] = []
        self._sequences: dict[tuple[str, bool], int] = {}
        self._msgids: OrderedDict[str, None] = OrderedDict()

    @property
    def has_gap(self) -> bool:
        return self.has_places and self._known > self.last

    def put(self, message: Message, sid: str) -> None:
        """Drops what was had before: by place, by `msgid`, and by a sequence that does not rise."""
        if message.to is not None:
            if message.to != sid:
                raise ProtocolError("malformed", "message.to")
            self._deliver(message)
        elif not self.has_places:
            self._deliver(message)
        elif message.place is None:
            raise ProtocolError("malformed", "message.place")
        elif message.place > self.last:
            self.behind.setdefault(message.place, message)
            self.heard_of(message.place)
            self._forward()

    def heard_of(self, place: int) -> None:
        self._known = max(self._known, place)

    def asked(self) -> None:
        self._asked_known = self._known

    def caught_up(self, through: int, is_complete: bool) -> None:
        """All up to `through` was said. What is missing never was, or is lost, or, if new, is still on its way."""
        end = through if is_complete else min(through, self._asked_known)
        while self.last < end:
            following = min([place for place in self.behind if place <= end], default=end + 1)
            if following > self.last + 1 and not is_complete:
                self.lost.append((self.last + 1, following - 1))
            self.last = following - 1
            self._forward()

    def ready(self) -> list[Message]:
        ready, self._ready = self._ready, []
        return ready

    def _forward(self) -> None:
        while self.last + 1 in self.behind:
            self.last += 1
            self._deliver(self.behind.pop(self.last))

    def _deliver(self, message: Message) -> None:
        sender = (message.sid, message.to is not None)
        if message.msgid in self._msgids or message.sequence <= self._sequences.get(sender, -1):
            return
        self._sequences[sender] = message.sequence
        self._msgids[message.msgid] = None
        if len(self._msgids) > MSGIDS_KEPT:
            self._msgids.popitem(last=False)
        self._ready.append(message)
