import unittest
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from portcullis.directory import fingerprint, verify_entry
from portcullis.encoding import ProtocolError, base64url, from_base64url, label, to_json
from portcullis.hpke import SUITES
from portcullis.identity import words
from portcullis.plaintexts import SIGNED_IDENTITY, SIGNED_PREKEY
from portcullis.sealed_body import Content, Mailbox, ReplyKey, parse_content, parse_reply_key, seal_body

from .vectors import flipped, load, unhex

E2E = load("e2e.json")
SIGNERS = [
    Ed25519PrivateKey.from_private_bytes(from_base64url(each["text"].removeprefix("pe1."), ""))
    for each in E2E["identities"]
]
PINS = [each["fingerprint"] for each in E2E["identities"]]
ENTRY = E2E["entry"]
NOW_MS = ENTRY["nowMs"]
KEYS = [signer.public_key().public_bytes_raw() for signer in SIGNERS]


def identity(index, follows=None, **changes):
    """A statement that the vectors have not, signed by whom it has to be, as `SIGNED_IDENTITY` reads it."""
    said = {"socket": ENTRY["socket"], "name": ENTRY["name"], "key": base64url(KEYS[index]), "at": NOW_MS}
    said |= {} if follows is None else {"before": base64url(fingerprint(KEYS[follows]))}
    statement = to_json({name: value for name, value in {**said, **changes}.items() if value is not None})
    signed = {"statement": statement, "sig": SIGNERS[index].sign(label("e2e identity") + statement)}
    if follows is None:
        return signed
    return {**signed, "sigBefore": SIGNERS[follows].sign(label("e2e successor") + statement)}


def prekey(index):
    suites = {"0020": base64url(bytes(32))}
    times = {"id": base64url(bytes(8)), "suites": suites, "from": NOW_MS, "until": NOW_MS + 1}
    statement = to_json({"socket": ENTRY["socket"], "name": ENTRY["name"], **times})
    return {"statement": statement, "sig": SIGNERS[index].sign(label("e2e prekey") + statement)}


class Identities(unittest.TestCase):
    def test_fingerprints_and_words(self):
        for each, key in zip(E2E["identities"], KEYS, strict=True):
            self.assertEqual(key.hex(), each["publicKey"])
            self.assertEqual(base64url(fingerprint(key)), each["fingerprint"])
            self.assertEqual(words(fingerprint(key)), each["words"])


class Entries(unittest.TestCase):
    def setUp(self):
        self.history = [SIGNED_IDENTITY(each, "history") for each in ENTRY["history"]]
        self.prekey = SIGNED_PREKEY(ENTRY["prekey"], "prekey")

    def verify(self, pin=PINS[0], socket=ENTRY["socket"], now_ms=NOW_MS, before=None):
        return verify_entry(self.history, self.prekey, socket, ENTRY["name"], pin, now_ms, before)

    def refuses(self, *arguments, **named):
        with self.assertRaises(ProtocolError):
            self.verify(*arguments, **named)

    def test_lead_from_the_pin_to_the_prekey_that_holds(self):
        for pin in PINS[:2]:
            found = self.verify(pin)
            self.assertEqual((found.key_id.hex(), found.pin), (ENTRY["prekeyId"], PINS[1]))
            self.assertEqual(found.suites["0020"].hex(), E2E["messages"][0]["publicKey"])
            self.assertEqual(found.suites["647a"].hex(), E2E["messages"][2]["publicKey"])

    def test_are_of_one_socket_one_name_one_time_and_one_pin(self):
        self.refuses(PINS[2])
        self.refuses(socket="another")
        for now_ms in (NOW_MS - 10 * 60_000, NOW_MS + 3 * 24 * 3_600_000):
            self.refuses(now_ms=now_ms)

    def test_count_only_as_they_were_signed(self):
        good = self.history
        without = {name: value for name, value in good[1].items() if name != "sigBefore"}
        changed = [{**good[1], name: flipped(good[1][name])} for name in ("sig", "sigBefore")]
        for last in (without, *changed, good[0]):
            self.history = [good[0], last]
            self.refuses()
        self.history = good[::-1]
        self.refuses()
        self.history, self.prekey = good, {**self.prekey, "sig": flipped(self.prekey["sig"])}
        self.refuses()

    def test_do_not_go_back_behind_what_was_taken(self):
        taken = self.verify()
        self.verify(before=taken)
        self.refuses(before=replace(taken, valid_from=taken.valid_from + 1))
        self.history = self.history[:1]
        self.refuses(before=taken)
        self.history, self.prekey = [identity(0)], prekey(0)
        self.refuses(before=taken)

    def test_are_one_chain_of_different_keys_under_one_name(self):
        def refused(*history, by=1):
            self.history, self.prekey = list(history), prekey(by)
            self.refuses()

        self.history, self.prekey = [identity(0), identity(1, 0)], prekey(1)
        self.verify()
        refused(identity(0), identity(1, 0, before=base64url(fingerprint(KEYS[2]))))
        refused(identity(0), identity(1, 0, before=None))
        refused(identity(0), identity(1, 0), identity(0, 1), by=0)
        refused(identity(0, name="another"), identity(1, 0))
        refused(identity(0), identity(1, 0), by=0)


class Bodies(unittest.TestCase):
    def mailbox(self, said, **changes):
        secrets = {unhex(said["keyId"]): (said["suite"], unhex(said["secret"]))}
        whose = {"socket": said["socket"], "fingerprint": from_base64url(said["recipient"], ""), "secrets": secrets}
        return Mailbox(**{**whose, **changes})

    def test_open_for_their_recipient(self):
        for said in E2E["messages"]:
            body = unhex(said["body"])
            content = self.mailbox(said).open(said["sid"], body)
            self.assertEqual(content.written().hex(), said["content"])
            self.assertEqual((content.sequence, content.text.decode()), (said["seq"], said["text"]))
            self.assertEqual((content.reply.hex(), content.message_id.hex()), (said["reply"], said["messageId"]))
            self.assertEqual(base64url(fingerprint(content.sender)), said["sender"])

    def test_open_for_nobody_else_nowhere_else_and_only_once(self):
        for said in E2E["messages"]:
            body = unhex(said["body"])
            for at in (0, 1, 17, 25, 27, 60, -1):
                self.refuses(self.mailbox(said), said["sid"], flipped(body, at))
            for cut in (b"", body[:26], body[:60], body[:-1]):
                self.refuses(self.mailbox(said), said["sid"], cut)
            self.refuses(self.mailbox(said), "another", body)
            self.refuses(self.mailbox(said, socket="another"), said["sid"], body)
            self.refuses(self.mailbox(said, secrets={}), said["sid"], body)
            mailbox = self.mailbox(said)
            mailbox.open(said["sid"], body)
            self.refuses(mailbox, said["sid"], body)

    def test_are_counted_apart_in_two_sessions_of_one_name(self):
        said = E2E["messages"][0]
        signer = SIGNERS[PINS.index(said["sender"])]
        to = ReplyKey(unhex(said["keyId"]), said["suite"], unhex(said["publicKey"]))
        recipient, mailbox = from_base64url(said["recipient"], ""), self.mailbox(said)
        first = parse_content(unhex(said["content"]))
        other = replace(first, sequence=0, reply=bytes(8) + first.reply[8:])
        for content in (replace(first, sequence=1), other):
            mailbox.open(said["sid"], seal_body(said["socket"], said["sid"], recipient, to, signer, content))
        for content in (replace(first, sequence=0), other):
            body = seal_body(said["socket"], said["sid"], recipient, to, signer, content)
            self.refuses(mailbox, said["sid"], body)

    def test_are_sealed_as_the_vectors_are_and_signed_by_their_sender(self):
        for said in E2E["messages"]:
            signer = SIGNERS[PINS.index(said["sender"])]
            self.assertEqual(SUITES[said["suite"]].public_key(unhex(said["secret"])).hex(), said["publicKey"])
            to = ReplyKey(unhex(said["keyId"]), said["suite"], unhex(said["publicKey"]))
            content, recipient = parse_content(unhex(said["content"])), from_base64url(said["recipient"], "")
            body = seal_body(said["socket"], said["sid"], recipient, to, signer, content)
            self.assertEqual((body[:27].hex(), len(body)), (said["header"], len(unhex(said["body"]))))
            self.assertEqual(self.mailbox(said).open(said["sid"], body), content)
            stranger = seal_body(said["socket"], said["sid"], recipient, to, Ed25519PrivateKey.generate(), content)
            self.refuses(self.mailbox(said), said["sid"], stranger)

    def test_say_by_what_they_are_answered(self):
        message, answer, _ = E2E["messages"]
        reply = parse_reply_key(unhex(message["reply"]))
        self.assertEqual((reply.key_id.hex(), reply.public_key.hex()), (answer["keyId"], answer["publicKey"]))
        self.assertEqual(reply.written().hex(), message["reply"])
        for wrong in (b"", unhex(message["reply"])[:-1], flipped(unhex(message["reply"]), 9)):
            self.assertRaises(ProtocolError, parse_reply_key, wrong)

    def test_have_nothing_behind_their_content(self):
        content = Content(bytes(32), bytes(16), 0, b"", b"text").written()
        self.assertEqual(parse_content(content).text, b"text")
        for wrong in (content + b"\0", content[:-1], content[:50], b""):
            self.assertRaises(ProtocolError, parse_content, wrong)

    def refuses(self, mailbox, sid, body):
        with self.assertRaises(ProtocolError):
            mailbox.open(sid, body)
