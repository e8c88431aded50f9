"""What the client says and refuses at the gates, played against the server's side of the vectors."""

import json
import unittest

from portcullis.encoding import ProtocolError, base64url, to_json
from portcullis.frames import WrongServer
from portcullis.handshake import Denied, Handshake, Psk
from portcullis.wire import Address, parse_address

from .server import Recorded, seal_down
from .vectors import load, unhex

SCHEDULE = [vector for vector in load("schedule.json") if vector["suite"] == "0020"]
NOW = 1_790_000_000


def opened(vector, wire):
    """A handshake whose `open` is the vector's."""
    payload = json.loads(vector["open"]["payload"])
    dst = payload.pop("dst")
    before = vector["appKey"] or vector["before"]
    psk = Psk(vector["open"]["pskId"], unhex(before["psk"]) if before else b"")
    pin, ephemeral = vector["identity"]["fingerprint"], unhex(vector["kem"]["ephemeral"])
    handshake = Handshake(wire, 5, pin, ephemeral=ephemeral, now=NOW)
    handshake.open(Address(dst["label"], dst["path"], dst["query"], dst["id"]), psk, payload)
    return handshake


def play(vector):
    """All of it up to the verdict, which is not taken yet."""
    wire = Recorded(vector["hello"]["frame"])
    handshake = opened(vector, wire)
    for each in vector["records"]:
        if each["from"] == "server":
            wire.incoming.append(unhex(each["record"]))
            handshake.receive()
        else:
            said = json.loads(each["plaintext"])
            said.pop("n")
            handshake.send(said)
    return handshake, wire


class Conversations(unittest.TestCase):
    def test_sends_byte_for_byte_what_the_vectors_send(self):
        for vector in SCHEDULE:
            handshake, wire = play(vector)
            expected = [unhex(each["record"]) for each in vector["records"] if each["from"] == "client"]
            self.assertEqual(wire.sent, [vector["open"]["frame"], *expected])
            wire.incoming.append(unhex(vector["accepted"]["record"]))
            accepted = handshake.accept(handshake.receive())
            self.assertEqual(accepted.secrets.resume.hex(), vector["application"]["resume"])

    def verdict(self, vector, **changes):
        handshake, wire = play(vector)
        said = {**json.loads(vector["accepted"]["plaintext"]), **changes}
        wire.incoming.append(seal_down(0x11, unhex(vector["schedule"]["serverHandshake"]), 99, to_json(said)))
        return handshake.accept(handshake.receive())

    def test_takes_no_verdict_whose_finish_is_another_ones(self):
        vector = SCHEDULE[0]
        self.verdict(vector)
        wrong = {"F": base64url(bytes(32))}, {"nC": 1}, {"nC": 9}, {"n": 4}
        for changes in wrong:
            with self.assertRaises(ProtocolError) as caught:
                self.verdict(vector, **changes)
            self.assertEqual(caught.exception.code, "out-of-order")

    def test_takes_no_receipt_that_the_server_did_not_sign(self):
        with self.assertRaises(ProtocolError) as caught:
            self.verdict(SCHEDULE[0], receipt={"at": 1, "sig": base64url(bytes(64))})
        self.assertEqual(caught.exception.where, "accepted.receipt")

    def test_refuses_a_verdict_that_is_not_exactly_one(self):
        group = {"socket": "s", "epoch": 0, "step": 0, "key": base64url(bytes(32)), "verify": base64url(bytes(32))}
        sealed = ({"sealed": True, "place": 1}, {"group": group}, {"sealed": True, "group": group})
        for changes in (
            *sealed,
            {"more": 1},
            {"group": None},
            {"limits": {}},
            {"expiresAt": 1.5},
            {"policyHash": "AA"},
        ):
            with self.assertRaises(ProtocolError) as caught:
                self.verdict(SCHEDULE[0], **changes)
            self.assertEqual(caught.exception.code, "malformed")

    def test_says_nothing_to_a_server_that_is_not_pinned(self):
        vector = SCHEDULE[0]
        wire = Recorded(vector["hello"]["frame"])
        with self.assertRaises(WrongServer):
            Handshake(wire, 5, "A" * 22, now=NOW).open(Address("demo", "a", "", None), Psk())
        self.assertEqual(wire.sent, [])

    def test_takes_a_text_denied_for_nobodys_word(self):
        wire = Recorded(SCHEDULE[0]["hello"]["frame"])
        handshake = opened(SCHEDULE[0], wire)
        wire.incoming.append('{"t":"denied","code":"denied"}')
        with self.assertRaises(Denied) as caught:
            handshake.receive()
        self.assertFalse(caught.exception.is_sealed)


class Addresses(unittest.TestCase):
    def test_are_taken_as_they_stand(self):
        url = "wss://Demo.example.com/a%2Fb/c?x=%20&id=bo%20b+&id=eve"
        address = Address("demo", "a%2Fb/c", "x=%20&id=bo%20b+&id=eve", "bo b ")
        self.assertEqual(parse_address(url, "example.com"), address)
        self.assertEqual(parse_address("ws://localhost:1/Demo/a?id="), Address("demo", "a", "id=", None))
        self.assertEqual(parse_address("ws://demo.localhost:1/a"), Address("demo", "a", "", None))
        self.assertEqual(parse_address("ws://localhost:1/demo"), Address("demo", "", "", None))
