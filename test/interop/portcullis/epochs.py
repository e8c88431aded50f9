"""The keys for everybody on a sealed socket, and the records that came before theirs (section 10)."""

from .encoding import ProtocolError
from .records import Group, epoch_of, open_group_record

EPOCHS_KEPT, UNREAD_MAX = 3, 64


class Epochs:
    def __init__(self) -> None:
        self._groups: dict[int, Group] = {}
        self._unread: list[bytes] = []
        self.is_to_be_asked_for = False
        """Set by each record of an unknown epoch, once: one that nobody can open must not have us ask for ever."""

    @property
    def known(self) -> list[int]:
        return sorted(self._groups)

    def open(self, record: bytes) -> bytes | None:
        """None: of an epoch that is not known yet, or too old; kept until it is."""
        group = self._groups.get(epoch_of(record))
        if group is not None:
            return open_group_record(group, record)
        if len(self._unread) < UNREAD_MAX:
            self._unread.append(record)
            self.is_to_be_asked_for = True
        return None

    def learn(self, said: dict) -> list[bytes]:
        """Gives the plaintexts that were waiting for this epoch."""
        group = Group(said["socket"], said["epoch"], said["key"], said["verify"])
        if any(each.socket != group.socket for each in self._groups.values()):
            raise ProtocolError("malformed", "group.socket")
        self._groups[group.epoch] = group
        for epoch in self.known[:-EPOCHS_KEPT]:
            del self._groups[epoch]
        waiting = self._unread
        self._unread = [
            each for each in waiting if epoch_of(each) not in self._groups and epoch_of(each) > self.known[0]
        ]
        readable = (each for each in waiting if epoch_of(each) in self._groups)
        return [open_group_record(self._groups[epoch_of(each)], each) for each in readable]
