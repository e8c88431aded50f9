import unittest
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from portcullis.encoding import from_base64url, label, u64be
from portcullis.gates import ident_proof
from portcullis.identity import Succession, fingerprint, is_book_statement, is_pinned, is_receipt, picture, words

from .vectors import flipped, load, unhex

IDENTITY = load("identity.json")
KEYS = [unhex(each["publicKey"]) for each in IDENTITY["identities"]]
PINS = [each["fingerprint"] for each in IDENTITY["identities"]]
CHAIN = [
    Succession(from_base64url(each["key"], ""), each["from"], each["until"], from_base64url(each["sig"], ""))
    for each in IDENTITY["successions"]
]
NOW = 1_796_000_000


class Fingerprints(unittest.TestCase):
    def test_with_their_words_and_pictures(self):
        for each, key in zip(IDENTITY["identities"], KEYS, strict=True):
            private = Ed25519PrivateKey.from_private_bytes(unhex(each["seed"]))
            self.assertEqual(private.public_key().public_bytes_raw(), key)
            self.assertEqual(fingerprint(key), each["fingerprint"])
            self.assertEqual(words(from_base64url(each["fingerprint"], "")), each["words"])
            self.assertEqual(picture(key), each["randomart"])

    def test_words_of_a_session(self):
        self.assertEqual(words(unhex(IDENTITY["session"]["secret"])), IDENTITY["session"]["words"])

    def test_proof_for_ident(self):
        proof = IDENTITY["proof"]
        self.assertEqual(ident_proof(unhex(proof["th"]), proof["cid"], proof["words"]), proof["value"])


class Successions(unittest.TestCase):
    def test_leads_from_each_earlier_key_to_the_last(self):
        for pin in PINS:
            self.assertTrue(is_pinned(pin, KEYS[2], CHAIN, NOW))

    def test_never_leads_back(self):
        self.assertFalse(is_pinned(PINS[2], KEYS[0], [], NOW))
        self.assertFalse(is_pinned(PINS[2], KEYS[1], CHAIN[:1], NOW))

    def test_holds_from_a_minute_before_its_time_until_its_end(self):
        start, end = CHAIN[1].valid_from - 60, CHAIN[0].until
        self.assertTrue(is_pinned(PINS[0], KEYS[2], CHAIN, start))
        self.assertTrue(is_pinned(PINS[0], KEYS[2], CHAIN, end - 1))
        self.assertFalse(is_pinned(PINS[0], KEYS[2], CHAIN, start - 1))
        self.assertFalse(is_pinned(PINS[0], KEYS[2], CHAIN, end))
        self.assertTrue(is_pinned(PINS[1], KEYS[2], CHAIN, end))

    def test_refuses_a_step_that_is_missing_changed_or_twice(self):
        changed = [CHAIN[0], replace(CHAIN[1], signature=flipped(CHAIN[1].signature))]
        for wrong in ([], CHAIN[:1], changed, [replace(CHAIN[0], until=CHAIN[0].until + 1), CHAIN[1]], CHAIN + CHAIN):
            self.assertFalse(is_pinned(PINS[0], KEYS[2], wrong, NOW))
        self.assertFalse(is_pinned(PINS[0], KEYS[0][::-1], CHAIN, NOW))

    def test_refuses_a_key_that_comes_twice_however_it_is_signed(self):
        def signed(key, following):
            private = Ed25519PrivateKey.from_private_bytes(unhex(IDENTITY["identities"][key]["seed"]))
            said = label("succession") + KEYS[key] + KEYS[following] + u64be(NOW) + u64be(NOW + 1)
            return Succession(KEYS[key], NOW, NOW + 1, private.sign(said))

        self.assertTrue(is_pinned(PINS[0], KEYS[2], [signed(0, 1), signed(1, 2)], NOW))
        self.assertFalse(is_pinned(PINS[0], KEYS[2], [signed(0, 1), signed(1, 0), signed(0, 2)], NOW))
        self.assertFalse(is_pinned(PINS[1], KEYS[0], [signed(0, 1), signed(1, 0)], NOW))


class Receipts(unittest.TestCase):
    def test_says_who_was_let_in_when_under_which_policy(self):
        said = IDENTITY["statements"]["receipt"]
        values = [from_base64url(said["finish"], ""), said["sid"], said["member"], said["atMs"]]
        values += [from_base64url(said["policyHash"], ""), from_base64url(said["sig"], "")]
        self.assertEqual([is_receipt(key, *values) for key in KEYS].count(True), 1)
        key = next(key for key in KEYS if is_receipt(key, *values))
        for index, other in enumerate((bytes(32), "sid-2", None, said["atMs"] + 1, bytes(32), bytes(64))):
            self.assertFalse(is_receipt(key, *values[:index], other, *values[index + 1 :]))


class Books(unittest.TestCase):
    def test_says_which_blocks_a_socket_has(self):
        said = IDENTITY["statements"]["audit"]
        values = [said["socket"], said["first"], said["last"], said["hash"], said["atMs"]]
        signature = from_base64url(said["sig"], "")
        self.assertEqual([is_book_statement(key, *values, signature) for key in KEYS].count(True), 1)
        for index, other in enumerate(("socket-2", 4, 18, "00" * 32, 0)):
            changed = [*values[:index], other, *values[index + 1 :]]
            self.assertFalse(any(is_book_statement(key, *changed, signature) for key in KEYS))
