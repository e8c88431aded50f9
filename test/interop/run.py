"""Plays a client that a test steers: one command of JSON a line comes in, one answer of JSON a line goes out.

- connect: url, key?, otp?, question?, serverWords?, outbox?, pin?, suites?, box?, cutAt?
- send: body, to?, class?
- receive: count, seconds
- ask: what, sid
- meet: name, pin (a recipient beyond the server); sendBeyond: body; receiveBeyond: seconds
- cut, resume

The command's name is in `do`. An answer with `error` says what went wrong at the client.
"""

import json
import re
import sys
import time
from urllib.request import Request, urlopen

from portcullis.client import Client, Refused
from portcullis.credentials import Credentials
from portcullis.encoding import ProtocolError
from portcullis.end_to_end import Correspondent
from portcullis.frames import ExpiredBundle, Message, WrongServer
from portcullis.gates import from_base32
from portcullis.handshake import Denied
from portcullis.identity import parse_app_key, words
from portcullis.session import Revoked, Session
from portcullis.wire import Closed, parse_address

ANSWER_SECONDS = 10


class Player:
    client: Client
    session: Session
    correspondent: Correspondent

    def connect(self, said: dict) -> dict:
        app_key = parse_app_key(said["key"]) if "key" in said else None
        otp = from_base32(said["otp"]) if "otp" in said else None
        read_code = (lambda: code_in_outbox(**said["outbox"])) if "outbox" in said else None
        credentials = Credentials(app_key, otp, said.get("question"), said.get("serverWords"), read_code)
        pin = said.get("pin", app_key.pin if app_key else None)
        address = parse_address(said["url"])
        suites = tuple(said.get("suites", ["647a", "0020"]))
        self.client = Client(said["url"], address, credentials, pin, suites)
        self.session = self.client.connect(said.get("box"), said.get("cutAt"))
        return self.state()

    def state(self) -> dict:
        accepted = self.session.accepted
        names = ("sid", "member", "role", "gates", "assurance", "sealed", "place", "next")
        return {
            **{name: accepted.said[name] for name in names if name in accepted.said},
            "receipt": accepted.has_receipt,
            "words": words(accepted.secrets.words),
            "suite": accepted.suite,
        }

    def send(self, said: dict) -> dict:
        return {"counter": self.session.send(said["body"].encode(), said.get("to"), said.get("class"))}

    def receive(self, said: dict) -> dict:
        messages = self.session.receive(said["count"], said["seconds"])
        return {
            "messages": [public(each) for each in messages],
            "kept": len(self.session.kept),
            "told": [each["t"] for each in self.session.told],
            "catchUps": self.session.catch_ups,
            "epochs": self.session.epochs.known,
            "steps": self.session.epochs.steps,
            "passedOver": self.session.epochs.passed_over,
            "lost": self.session.inbox.lost,
        }

    def ask(self, said: dict) -> dict:
        return self.session.ask(said["what"], {"sid": said["sid"]}, ANSWER_SECONDS)

    def meet(self, said: dict) -> dict:
        """Somebody beyond the server, to whom bodies are sealed."""
        socket = self.client.address.label
        self.correspondent = Correspondent(self.session, socket, said["name"], said["pin"], ANSWER_SECONDS)
        return {"pin": self.correspondent.recipient.pin, "suite": self.correspondent.suite}

    def send_beyond(self, said: dict) -> dict:
        return {"counter": self.correspondent.send(said["body"].encode())}

    def receive_beyond(self, said: dict) -> dict:
        messages = self.session.receive(1, said["seconds"])
        return {"bodies": [self.correspondent.open(each).decode() for each in messages]}

    def cut(self, _: dict) -> dict:
        self.session.wire.cut()
        return {}

    def resume(self, _: dict) -> dict:
        self.client.go_on(self.session)
        return self.state()


def code_in_outbox(url: str, key: str, to: str) -> str:
    """Of the message that a server for tests has sent nobody."""
    request = Request(url, headers={"authorization": f"Bearer {key}"})
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with urlopen(request, timeout=ANSWER_SECONDS) as response:
            texts = [each["text"] for each in json.load(response)["messages"] if each["to"] == to]
        if texts:
            return re.search(r"\b\d{6}\b", texts[0])[0]
        time.sleep(0.05)
    raise TimeoutError


def public(message: Message) -> dict:
    names = {"sid": message.sid, "member": message.member, "place": message.place, "class": message.kind}
    return {**names, "to": message.to, "body": message.body.decode()}


def failure(error: Exception) -> dict:
    match error:
        case ProtocolError():
            return {"error": error.code, "where": error.where}
        case Denied():
            return {"error": "denied", "code": error.code, "sealed": error.is_sealed}
        case Closed():
            return {"error": "closed", "code": error.code, "reason": error.reason}
        case Revoked():
            return {"error": "revoked", "what": error.what}
        case WrongServer():
            return {"error": "wrong-server", "where": str(error)}
        case ExpiredBundle() | Refused() | TimeoutError():
            return {"error": type(error).__name__}
    raise error


def main() -> None:
    player = Player()
    commands = {name: getattr(player, name) for name in ("connect", "send", "receive", "ask", "cut", "resume", "meet")}
    commands |= {"sendBeyond": player.send_beyond, "receiveBeyond": player.receive_beyond}
    for line in sys.stdin:
        said = json.loads(line)
        try:
            answer = commands[said["do"]](said)
        except Exception as error:
            answer = failure(error)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
