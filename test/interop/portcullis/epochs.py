"""The keys for everybody on a sealed socket, and the records that came before theirs (section 10, Epochs and Steps)."""

import time
from dataclasses import dataclass, field

from .encoding import ProtocolError, expand
from .records import GroupRecord, parse_group_record

EPOCHS_KEPT, UNREAD_MAX, STEP_MAX, STEP_KEPT_SECONDS = 3, 64, 1024, 5


@dataclass
class StepKey:
    step: int
    key: bytes
    erase_at: float = float("inf")


@dataclass
class Epoch:
    """G of one epoch, from the step on that this client was told. No key leads back, and none is kept that could."""

    socket: str
    number: int
    verify: bytes
    keys: list[StepKey] = field(default_factory=list)

    def open(self, record: GroupRecord) -> bytes | None:
        """None: of a step whose key was erased, or never told. It is found missing by its place."""
        if not record.is_signed_by(self.verify, self.socket) or record.step > STEP_MAX:
            raise ProtocolError("malformed", "record")
        self._erase()
        start = next((each for each in reversed(self.keys) if each.step <= record.step), None)
        if start is None:
            return None
        key = start.key
        for _ in range(start.step, record.step):
            key = expand(key, "step")
        plaintext = record.open(key, self.socket)
        if record.step > self.keys[-1].step:
            self._move_to(record.step, key)
        return plaintext

    def _move_to(self, step: int, key: bytes) -> None:
        """Records overtake each other: the keys of earlier steps are good for a moment more."""
        for each in self.keys:
            each.erase_at = min(each.erase_at, time.monotonic() + STEP_KEPT_SECONDS)
        self.keys.append(StepKey(step, key))

    def _erase(self) -> None:
        self.keys = [each for each in self.keys if each.erase_at > time.monotonic()]


class Epochs:
    def __init__(self) -> None:
        self._epochs: dict[int, Epoch] = {}
        self._unread: list[GroupRecord] = []
        self.is_to_be_asked_for = False
        """Set by each record of an unknown epoch, once: one that nobody can open must not have us ask for ever."""
        self.passed_over = 0

    @property
    def known(self) -> list[int]:
        return sorted(self._epochs)

    @property
    def steps(self) -> list[int]:
        """How far each of them is."""
        return [self._epochs[number].keys[-1].step for number in self.known]

    def open(self, frame: bytes) -> bytes | None:
        """None: of an epoch that is not known yet, and kept until it is, or of one whose key is gone."""
        record = parse_group_record(frame)
        epoch = self._epochs.get(record.epoch)
        if epoch is not None:
            plaintext = epoch.open(record)
            self.passed_over += plaintext is None
            return plaintext
        if record.epoch > min(self.known, default=-1) and len(self._unread) < UNREAD_MAX:
            self._unread.append(record)
            self.is_to_be_asked_for = True
        return None

    def learn(self, said: dict) -> list[bytes]:
        """Gives the plaintexts that were waiting. An epoch that is known already stays at the step at which it is."""
        if any(each.socket != said["socket"] for each in self._epochs.values()):
            raise ProtocolError("malformed", "group.socket")
        number, start = said["epoch"], StepKey(said["step"], said["key"])
        self._epochs.setdefault(number, Epoch(said["socket"], number, said["verify"], [start]))
        for old in self.known[:-EPOCHS_KEPT]:
            del self._epochs[old]
        waiting, first = self._unread, self.known[0]
        self._unread = [each for each in waiting if each.epoch not in self._epochs and each.epoch > first]
        opened = [self._epochs[each.epoch].open(each) for each in waiting if each.epoch in self._epochs]
        return [plaintext for plaintext in opened if plaintext is not None]
