"""One WebSocket connection (section 2), and the address that it goes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from .encoding import VERSION, ProtocolError
from .plaintexts import CLOSE_NAMES
from .shapes import characters

FRAME_BYTES_MAX = 1_052_672 + 256


@dataclass(frozen=True)
class Address:
    label: str
    path: str
    query: str
    member: str | None

    @property
    def dst(self) -> dict:
        return {"label": self.label, "path": self.path, "query": self.query, "id": self.member}


def parse_address(url: str, domain: str = "localhost", id_parameter: str = "id") -> Address:
    """Nothing is decoded but the member's name: path and query are exactly what stands in the request target."""
    _, _, rest = url.partition("://")
    target, _, query = rest.partition("?")
    host, _, path = target.partition("/")
    name = host.partition(":")[0].lower()
    if name.endswith(f".{domain}"):
        label = name.removesuffix(f".{domain}")
    else:
        label, _, path = path.partition("/")
        label = label.lower()
    named = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == id_parameter]
    member = named[0] if named and named[0] != "" else None
    if not 1 <= characters(label) <= 63 or max(characters(path), characters(query)) > 2048:
        raise ProtocolError("malformed", "address")
    if member is not None and characters(member) > 128:
        raise ProtocolError("malformed", "address")
    return Address(label, path, query, member)


class Closed(Exception):
    """The connection is over. The code is anybody's word (section 12)."""

    def __init__(self, code: int, reason: str):
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Wire(Protocol):
    def send(self, frame: str | bytes) -> None: ...

    def receive(self, seconds: float) -> str | bytes:
        """Raises TimeoutError or `Closed`."""

    def close(self, code: int) -> None: ...

    def cut(self) -> None:
        """Without a close frame, as when the network goes."""


class WebSocketWire:
    def __init__(self, url: str, seconds: float):
        try:
            self._socket = connect(
                url, subprotocols=[VERSION], compression=None, max_size=FRAME_BYTES_MAX, open_timeout=seconds
            )
        except (OSError, InvalidHandshake) as error:
            raise Closed(1006, type(error).__name__) from error
        if self._socket.subprotocol != VERSION:
            self.close(1000)
            raise ProtocolError("unsupported", "subprotocol")

    def send(self, frame: str | bytes) -> None:
        try:
            self._socket.send(frame)
        except ConnectionClosed as error:
            raise _closed(error) from error

    def receive(self, seconds: float) -> str | bytes:
        try:
            return self._socket.recv(timeout=max(seconds, 0))
        except ConnectionClosed as error:
            raise _closed(error) from error

    def close(self, code: int) -> None:
        self._socket.close(code)

    def cut(self) -> None:
        self._socket.close_socket()


@contextmanager
def closing_on_refusal(wire: Wire) -> Iterator[None]:
    """Who refuses what came closes with the code of the same name (section 13)."""
    try:
        yield
    except ProtocolError as error:
        wire.close(CLOSE_NAMES[error.code])
        raise


def _closed(error: ConnectionClosed) -> Closed:
    return Closed(1006, "") if error.rcvd is None else Closed(error.rcvd.code, error.rcvd.reason)
