import unittest

from portcullis.encoding import ProtocolError, base64url, bucket, from_base64url, from_json, pad, unpad
from portcullis.frames import message_up, parse_denied, parse_message_down

from .vectors import flipped, load, unhex

CODEC = load("codec.json")


class Padding(unittest.TestCase):
    def test_pads_to_the_smallest_bucket(self):
        for case in CODEC["padding"]:
            self.assertEqual(bucket(case["length"]), case["paddedLength"])
            self.assertEqual(len(pad(bytes(case["length"]))), case["paddedLength"])
        for case in CODEC["padded"]:
            self.assertEqual(pad(unhex(case["plaintext"])).hex(), case["padded"])
            self.assertEqual(unpad(unhex(case["padded"]), "").hex(), case["plaintext"])

    def test_refuses_a_bucket_that_is_too_large_a_length_that_does_not_fit_and_a_rest_that_is_not_zero(self):
        padded = pad(b"{}")
        for wrong in (b"", padded[:3], padded + bytes(768), b"\xff" + padded[1:], flipped(padded), padded[:-1]):
            with self.assertRaises(ProtocolError):
                unpad(wrong, "")


class Base64Url(unittest.TestCase):
    def test_is_canonical(self):
        for case in CODEC["base64url"]["valid"]:
            self.assertEqual(base64url(unhex(case["bytes"])), case["text"])
            self.assertEqual(from_base64url(case["text"], "").hex(), case["bytes"])
        for text in CODEC["base64url"]["invalid"]:
            with self.assertRaises(ProtocolError, msg=text):
                from_base64url(text, "")


class Json(unittest.TestCase):
    def test_refuses_what_is_not_json_or_not_unambiguous(self):
        refused = [b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b'"\\ud800"', b"NaN", b"{", b"\xff", b"[" * 100_000]
        for wrong in refused:
            with self.assertRaises(ProtocolError, msg=wrong[:20]):
                from_json(wrong, "")


class Frames(unittest.TestCase):
    def test_messages_up(self):
        for case in CODEC["messageUp"]:
            self.assertEqual(message_up(case["counter"], unhex(case["body"])).hex(), case["frame"])

    def test_messages_down(self):
        for case in CODEC["messageDown"]:
            message = parse_message_down(unhex(case["frame"]))
            self.assertEqual((message.sequence, message.body.hex()), (case["sequence"], case["body"]))
            head = {"sid": message.sid, "member": message.member, "msgid": message.msgid}
            self.assertEqual(head, case["head"])
            with self.assertRaises(ProtocolError):
                parse_message_down(unhex(case["frame"])[:20])

    def test_denied(self):
        for case in CODEC["denied"]:
            said = parse_denied(case["frame"])
            self.assertEqual((said["code"], said["retryAfterMs"]), (case["code"], case["retryAfterMs"]))
