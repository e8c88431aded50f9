import unittest

from portcullis.encoding import ProtocolError
from portcullis.gates import excerpt, from_base32, one_time_code, question_key, question_proof

from .vectors import load, unhex


class Otp(unittest.TestCase):
    def test_rfc_6238_appendix_b(self):
        codes = load("rfc6238.json")
        secret = from_base32(codes["secretBase32"])
        self.assertEqual(secret, codes["secretText"].encode())
        for each in codes["vectors"]:
            self.assertEqual(one_time_code(secret, each["epochSeconds"]), each["code6"])
            self.assertEqual(one_time_code(secret, each["epochSeconds"], 8), each["code8"])


class Question(unittest.TestCase):
    def test_proofs(self):
        question = load("question.json")
        key = question_key(question["secret"])
        self.assertEqual(key.hex(), question["key"])
        for proof in question["proofs"]:
            self.assertEqual(excerpt(proof["statement"], proof["positions"]), proof["choice"])
            value = question_proof(key, unhex(proof["th"]), proof["cid"], proof["statement"], proof["positions"])
            self.assertEqual(value, proof["value"])

    def test_refuses_positions_that_pick_no_words(self):
        for positions in ([], [0], [3], [2, 1], [1, 1], [True], ["1"]):
            with self.assertRaises(ProtocolError):
                excerpt("two words", positions)
