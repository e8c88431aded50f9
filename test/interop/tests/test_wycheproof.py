"""Inputs that must be refused, whatever the library beneath does."""

import unittest

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from portcullis.encoding import ProtocolError
from portcullis.hpke import SUITES, Context, diffie_hellman, x25519_public
from portcullis.identity import PRIME, SMALL_ORDER, verifies

from .vectors import load, unhex

CASES = load("wycheproof.json")


class Wycheproof(unittest.TestCase):
    def test_x25519_with_no_result_of_zeros(self):
        for case in CASES["x25519"]:
            with self.subTest(case["tcId"]):
                keys = unhex(case["private"]), unhex(case["public"])
                if not any(unhex(case["shared"])):
                    self.assertRaises(ProtocolError, diffie_hellman, *keys)
                else:
                    self.assertEqual(diffie_hellman(*keys).hex(), case["shared"])

    def test_ed25519(self):
        for case in CASES["ed25519"]:
            with self.subTest(case["tcId"]):
                is_good = verifies(unhex(case["pk"]), unhex(case["msg"]), unhex(case["sig"]))
                self.assertEqual(is_good, case["result"] == "valid")

    def test_no_key_under_which_one_signature_fits_everything(self):
        everything = bytes([1]) + bytes(63)
        for y in (*SMALL_ORDER, PRIME, PRIME + 1):
            for sign in (0, 2**255):
                self.assertFalse(verifies((y + sign).to_bytes(32, "little"), b"x", everything))

    def test_keys_that_are_none_of_ml_kem(self):
        for case in CASES["mlkem768Keys"]:
            with self.subTest(case["tcId"]):
                public_key = unhex(case["ek"]) + x25519_public(bytes(range(32)))
                self.assertRaises(ProtocolError, SUITES["647a"].encapsulate, public_key)

    def test_ml_kem(self):
        for case in CASES["mlkem768"]:
            with self.subTest(case["tcId"]):
                if case["result"] == "valid":
                    secret = MLKEM768PrivateKey.from_seed_bytes(unhex(case["seed"])).decapsulate(unhex(case["c"]))
                    self.assertEqual(secret.hex(), case["K"])
                elif len(unhex(case["seed"])) == 64:
                    enc = unhex(case["c"]) + x25519_public(bytes(range(32)))
                    self.assertRaises(ProtocolError, SUITES["647a"].decapsulate, enc, bytes(32))

    def test_aes_256_gcm(self):
        for case in CASES["aes256gcm"]:
            with self.subTest(case["tcId"]):
                context = Context(b"", unhex(case["key"]), unhex(case["iv"]), b"")
                aad, sealed = unhex(case["aad"]), unhex(case["ct"] + case["tag"])
                if case["result"] == "valid":
                    self.assertEqual(context.open(aad, sealed).hex(), case["msg"])
                    again = AESGCM(unhex(case["key"])).encrypt(unhex(case["iv"]), unhex(case["msg"]), aad)
                    self.assertEqual(again, sealed)
                else:
                    self.assertRaises(ProtocolError, context.open, aad, sealed)
