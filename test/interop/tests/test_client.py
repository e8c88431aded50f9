"""What the client says and refuses, played against the server's side of the vectors."""

import json
import unittest

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from portcullis.credentials import Credentials
from portcullis.encoding import ProtocolError, base64url, expand, pad, to_json, u32be, u64be
from portcullis.frames import WrongServer
from portcullis.handshake import Accepted, Denied, Handshake, Psk
from portcullis.inbox import Inbox
from portcullis.frames import parse_message_down
from portcullis.schedule import ApplicationSecrets
from portcullis.session import Revoked, Session
from portcullis.wire import Address, parse_address

from .vectors import load, unhex

SCHEDULE = [vector for vector in load("schedule.json") if vector["suite"] == "0020"]
NOW, WRITER = 1_790_000_000, bytes(range(16))


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


def seal_down(kind, secret, counter, plaintext):
    header = bytes([kind]) + u32be(0) + WRITER + u64be(counter)
    key = expand(secret, "w", WRITER)
    return header + AESGCM(key).encrypt(u32be(0) + u64be(counter), pad(plaintext), header)


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
        sealed = {"sealed": True}
        for changes in ({"more": 1}, sealed, {"group": None}, {"limits": {}}, {"expiresAt": 1.5}, {"policyHash": "AA"}):
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


class Sessions(unittest.TestCase):
    secrets = ApplicationSecrets(*(bytes([number]) * 32 for number in range(5)))
    said = {"sid": "me", "member": None, "sealed": False, "gates": [], "expiresAt": 9, "limits": {"maxBytes": 4}}

    def session(self, *frames, **changes):
        return Session(Accepted({**self.said, **changes}, "0020", self.secrets, True), Recorded(*frames), Credentials())

    def down(self, said, counter=0):
        return seal_down(0x21, self.secrets.server, counter, to_json(said))

    def test_closes_with_the_name_of_what_it_refuses(self):
        for frame, code in (("text", 4501), (b"", 4501), (b"\x30" + bytes(400), 4501), (b"\x21" + bytes(400), 4500)):
            session = self.session(frame)
            with self.assertRaises(ProtocolError):
                session.receive(1, 1)
            self.assertEqual(session.wire.closed, code)

    def test_is_over_by_the_servers_sealed_word(self):
        with self.assertRaises(Revoked):
            self.session(self.down({"t": "revoked", "what": "expired"})).receive(1, 1)

    def test_goes_on_only_as_what_it_was(self):
        others = {"sid": "you", "member": "bob", "role": "owner", "mode": "consumer", "sealed": True}
        for name, other in {**others, "gates": ["key"], "expiresAt": 8}.items():
            session = self.session()
            accepted = Accepted({**self.said, "next": 0, name: other}, "0020", self.secrets, True)
            with self.assertRaises(ProtocolError):
                session.go_on(accepted, Recorded())
            self.assertEqual(session.accepted.said, self.said)

    def test_passes_over_what_was_overtaken_in_a_step_up(self):
        stepped_up = {"t": "stepped-up", "gates": ["otp"]}
        frames = [self.down({**stepped_up, "n": n}, counter) for counter, n in enumerate((5, 4, 5, 6))]
        session = self.session(*frames)
        session.receive(1, 0.1)
        self.assertEqual([each["n"] for each in session.told], [5, 6])


class Inboxes(unittest.TestCase):
    def message(self, place, sequence=None, msgid=None, to=None):
        sequence = place if sequence is None else sequence
        head = {"sid": "s", "msgid": msgid or f"m{place}-{sequence}"}
        head |= ({} if place is None else {"place": place}) | ({} if to is None else {"to": to})
        data = to_json(head)
        return parse_message_down(b"\x41" + u64be(sequence) + len(data).to_bytes(2, "big") + data)

    def places(self, inbox):
        return [each.place for each in inbox.ready()]

    def test_orders_by_place_and_drops_what_it_had(self):
        inbox = Inbox(4)
        for place in (6, 4, 7, 5, 6):
            inbox.put(self.message(place), "me")
        self.assertEqual((self.places(inbox), inbox.has_gap), ([5, 6, 7], False))

    def test_opens_what_it_put_aside_when_nothing_else_comes(self):
        for is_complete, lost in ((True, []), (False, [(1, 1), (3, 3)])):
            inbox = Inbox(0)
            inbox.put(self.message(2), "me")
            inbox.heard_of(3)
            inbox.asked()
            inbox.caught_up(3, is_complete)
            self.assertEqual((self.places(inbox), inbox.lost, inbox.has_gap), ([2], lost, False))

    def test_waits_for_a_place_that_was_given_after_it_asked(self):
        inbox = Inbox(0)
        inbox.asked()
        inbox.caught_up(1, False)
        self.assertEqual((inbox.last, inbox.lost), (0, []))

    def test_drops_by_sequence_and_msgid_where_there_are_no_places(self):
        inbox = Inbox(None)
        for sequence, msgid in ((1, "a"), (1, "b"), (0, "c"), (2, "a"), (3, "d")):
            inbox.put(self.message(None, sequence, msgid), "me")
        self.assertEqual([each.msgid for each in inbox.ready()], ["a", "d"])

    def test_refuses_what_was_said_to_somebody_else(self):
        with self.assertRaises(ProtocolError):
            Inbox(0).put(self.message(None, 0, to="you"), "me")


class Addresses(unittest.TestCase):
    def test_are_taken_as_they_stand(self):
        url = "wss://Demo.example.com/a%2Fb/c?x=%20&id=bo%20b+&id=eve"
        address = Address("demo", "a%2Fb/c", "x=%20&id=bo%20b+&id=eve", "bo b ")
        self.assertEqual(parse_address(url, "example.com"), address)
        self.assertEqual(parse_address("ws://localhost:1/Demo/a?id="), Address("demo", "a", "id=", None))
        self.assertEqual(parse_address("ws://demo.localhost:1/a"), Address("demo", "a", "", None))
        self.assertEqual(parse_address("ws://localhost:1/demo"), Address("demo", "", "", None))
