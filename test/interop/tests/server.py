"""What a server does, as far as a test needs it."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from portcullis.encoding import expand, label, lp, pad, to_json, u32be, u64be, unpad

WRITER = bytes(range(16))


class Recorded:
    """A connection whose server's side is given, and whose client's side is kept."""

    def __init__(self, *incoming):
        self.incoming, self.sent, self.closed = list(incoming), [], None

    def send(self, frame):
        self.sent.append(frame)

    def receive(self, seconds):
        if not self.incoming:
            raise TimeoutError
        return self.incoming.pop(0)

    def close(self, code):
        self.closed = code


def seal_down(kind, secret, counter, plaintext, generation=0):
    header = bytes([kind]) + u32be(generation) + WRITER + u64be(counter)
    key = expand(secret, "w", WRITER)
    return header + AESGCM(key).encrypt(u32be(0) + u64be(counter), pad(plaintext), header)


def open_up(secret, record):
    header = record[:13]
    return unpad(AESGCM(expand(secret, "key")).decrypt(bytes(4) + header[5:], record[13:], header), "record")


def message_down(sequence, body=b"", **head):
    data = to_json({"sid": "s", "msgid": f"m{sequence}", **head})
    return b"\x41" + u64be(sequence) + len(data).to_bytes(2, "big") + data + body


class Epoch:
    """Seals for everybody."""

    def __init__(self, number, socket="socket"):
        self.number, self.socket = number, socket
        self._signer, self._key = Ed25519PrivateKey.generate(), bytes([number]) * 32

    @property
    def group(self):
        """As `accepted` and `grant` have it, once read."""
        verify = self._signer.public_key().public_bytes_raw()
        return {"socket": self.socket, "epoch": self.number, "step": 0, "key": self._key, "verify": verify}

    def group_at(self, step):
        """As somebody has it who comes at that step."""
        return {**self.group, "step": step, "key": self._at(step)}

    def _at(self, step):
        key = self._key
        for _ in range(step):
            key = expand(key, "step")
        return key

    def seal(self, counter, plaintext, step=0):
        header = b"\x30" + u32be(self.number) + u32be(step) + WRITER + u64be(counter)
        socket = lp(self.socket.encode())
        key = expand(self._at(step), "g", socket + header[:25])
        ciphertext = AESGCM(key).encrypt(u32be(0) + u64be(counter), pad(plaintext), header)
        return header + ciphertext + self._signer.sign(label("group") + socket + header + ciphertext)
