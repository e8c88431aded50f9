import unittest

from portcullis.credentials import Credentials
from portcullis.encoding import ProtocolError, base64url, to_json
from portcullis.frames import message_up
from portcullis.handshake import Accepted
from portcullis.schedule import ApplicationSecrets
from portcullis.session import Revoked, Session

from .server import Epoch, Recorded, message_down, open_up, seal_down


class Connected:
    secrets = ApplicationSecrets(*(bytes([number]) * 32 for number in range(5)))
    said = {"sid": "me", "member": None, "sealed": False, "gates": [], "expiresAt": 9, "limits": {"maxBytes": 4}}

    def accepted(self, **changes):
        return Accepted({**self.said, **changes}, "0020", self.secrets, True)

    def session(self, *frames, **changes):
        return Session(self.accepted(**changes), Recorded(*frames), Credentials())

    def down(self, said, counter=0):
        return seal_down(0x21, self.secrets.server, counter, to_json(said))


class Sessions(Connected, unittest.TestCase):
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
            with self.assertRaises(ProtocolError):
                session.go_on(self.accepted(**{"next": 0, name: other}), Recorded())
            self.assertEqual(session.accepted.said, self.said)

    def test_passes_over_what_was_overtaken_in_a_step_up(self):
        stepped_up = {"t": "stepped-up", "gates": ["otp"]}
        frames = [self.down({**stepped_up, "n": n}, counter) for counter, n in enumerate((5, 4, 5, 6))]
        session = self.session(*frames)
        session.receive(1, 0.1)
        self.assertEqual([each["n"] for each in session.told], [5, 6])

    def test_refuses_records_of_another_generation_and_beyond_the_last_of_a_key(self):
        plaintext = to_json({"t": "left", "sid": "s"})
        self.session(seal_down(0x21, self.secrets.server, 2**23 - 1, plaintext)).receive(1, 0.05)
        another = seal_down(0x21, self.secrets.server, 0, plaintext, generation=1)
        beyond = seal_down(0x21, self.secrets.server, 2**23, plaintext)
        for record, code in ((another, 4501), (beyond, 4500)):
            session = self.session(record)
            with self.assertRaises(ProtocolError):
                session.receive(1, 0.05)
            self.assertEqual(session.wire.closed, code)


class SealedSessions(Connected, unittest.TestCase):
    def setUp(self):
        self.epochs = [Epoch(number) for number in range(5)]

    def sealed(self, *frames):
        return self.session(*frames, sealed=True, place=0, group=self.epochs[0].group)

    def written(self, epoch):
        return {**epoch.group, **{name: base64url(epoch.group[name]) for name in ("key", "verify")}}

    def grant(self, epoch, counter):
        return self.down({"t": "grant", "group": self.written(epoch)}, counter)

    def message(self, epoch, place):
        return self.epochs[epoch].seal(place, message_down(place, place=place))

    def heard(self, session, count):
        return [each.place for each in session.receive(count, 0.3)]

    def test_refuses_a_message_in_the_open(self):
        session = self.sealed(message_down(1, place=1))
        with self.assertRaises(ProtocolError):
            session.receive(1, 0.05)

    def test_keeps_a_record_of_an_unknown_epoch_until_its_grant_comes_and_asks_once(self):
        session = self.sealed(self.message(1, 1), self.message(1, 2), self.grant(self.epochs[1], 0))
        self.assertEqual((self.heard(session, 2), session.catch_ups), ([1, 2], 1))

    def test_does_not_ask_for_ever_for_an_epoch_that_never_was(self):
        session = self.sealed(self.message(4, 1))
        said = {"t": "caught-up", "through": 0, "complete": True, "more": False}
        session.wire.incoming.append(self.down({**said, "group": self.written(self.epochs[0])}))
        self.assertEqual((self.heard(session, 1), session.catch_ups), ([], 1))

    def test_keeps_three_epochs_and_no_more_than_64_records_of_others(self):
        session = self.sealed(*(self.grant(each, counter) for counter, each in enumerate(self.epochs[1:4])))
        session.receive(1, 0.05)
        self.assertEqual(session.epochs.known, [1, 2, 3])
        session.epochs.open(self.message(0, 1))
        self.assertFalse(session.epochs.is_to_be_asked_for)
        for place in range(70):
            session.epochs.open(self.message(4, place))
        self.assertEqual(len(session.epochs.learn(self.epochs[4].group)), 64)

    def test_refuses_the_key_of_another_socket(self):
        session = self.sealed(self.grant(Epoch(1, "another"), 0))
        with self.assertRaises(ProtocolError):
            session.receive(1, 0.05)

    def test_refuses_a_record_that_the_epoch_key_signed_for_something_else(self):
        tick, epoch = to_json({"t": "tick", "place": 0}), self.epochs[0]
        self.sealed(epoch.seal(0, tick)).receive(1, 0.05)
        for record in (epoch.seal(0, tick, step=1025), epoch.seal(2**23, tick), epoch.seal(0, b"{}")):
            session = self.sealed(record)
            with self.assertRaises(ProtocolError):
                session.receive(1, 0.05)

    def test_says_again_what_may_not_have_arrived_and_asks_for_what_it_missed(self):
        session = self.sealed()
        for body in (b"0", b"1", b"2"):
            session.send(body)
        session.wire.incoming.append(self.epochs[0].seal(0, message_down(0, place=1, sid="me")))
        session.receive(1, 0.05)
        again = Recorded()
        session.go_on(self.accepted(sealed=True, place=1, group=self.epochs[0].group, next=2), again)
        said = [open_up(self.secrets.client, record) for record in again.sent]
        self.assertEqual(said, [message_up(2, b"2"), to_json({"t": "catch-up", "after": 1})])
        self.assertEqual(session.resume_next, 1)
