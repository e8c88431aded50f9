import unittest

from portcullis import plaintexts
from portcullis.encoding import ProtocolError, from_base64url, pad
from portcullis.frames import ExpiredBundle, WrongServer, check_hello, open_frame, parse_hello
from portcullis.hpke import SUITES
from portcullis.identity import parse_app_key
from portcullis.records import APPLICATION_DOWN, HANDSHAKE_DOWN, Sealer, open_record
from portcullis.schedule import (
    Chain,
    app_key_psk,
    application_secrets,
    finish,
    handshake_secrets,
    open_context,
    seal_open,
    session_secret,
    transcript,
)

from .vectors import flipped, load, unhex

SCHEDULE = load("schedule.json")
NOW = 1_790_000_000


class Handshakes(unittest.TestCase):
    def test_every_value_of_every_handshake(self):
        for vector in SCHEDULE:
            with self.subTest(vector["name"]):
                hello = self.hello(vector)
                prk = self.opening(vector, hello)
                client, server, secrets = self.conversation(vector, prk)
                self.verdict(vector, prk, client, server, secrets)

    def hello(self, vector):
        hello = parse_hello(vector["hello"]["frame"])
        self.assertEqual(hello.id_key.hex(), vector["identity"]["publicKey"])
        self.assertEqual(hello.suites[vector["suite"]].hex(), vector["kem"]["publicKey"])
        self.assertEqual(hello.h0.hex(), vector["hello"]["h0"])
        pin = vector["identity"]["fingerprint"]
        check_hello(hello, pin, NOW)
        check_hello(hello, pin, hello.expires_at + 60)
        with self.assertRaises(ExpiredBundle):
            check_hello(hello, pin, hello.expires_at + 61)
        with self.assertRaises(WrongServer):
            check_hello(hello, "A" * 22, NOW)
        return hello

    def opening(self, vector, hello):
        """As the server opens it and, where the KEM can be given its randomness, as the client makes it."""
        said, suite = vector["open"], vector["suite"]
        psk = self.psk(vector)
        enc, box, payload = unhex(said["enc"]), unhex(said["box"]), said["payload"].encode()
        shared = SUITES[suite].decapsulate(enc, unhex(vector["kem"]["secret"]))
        self.assertEqual(shared.hex(), said["sharedSecret"])
        context = open_context(suite, shared, hello.h0, psk, said["pskId"])
        self.assertEqual(context.open(b"", box).hex(), said["padded"])
        self.assertEqual(pad(payload).hex(), said["padded"])
        self.assertEqual(open_frame(suite, enc, said["pskId"], box), said["frame"])
        th = transcript(hello.h0, suite, said["pskId"], enc, box)
        self.assertEqual(th.hex(), vector["schedule"]["th"])
        prk = session_secret(th, context)
        self.assertEqual(prk.hex(), vector["schedule"]["prk"])
        if suite == "0020":
            ephemeral = unhex(vector["kem"]["ephemeral"])
            made = seal_open(suite, hello.suites[suite], hello.h0, psk, said["pskId"], payload, ephemeral)
            self.assertEqual((made.enc, made.box, made.th, made.prk), (enc, box, th, prk))
        return prk

    def psk(self, vector):
        if vector["appKey"] is not None:
            key = parse_app_key(vector["appKey"]["text"])
            self.assertEqual((key.key_id, key.secret.hex()), (vector["appKey"]["keyId"], vector["appKey"]["secret"]))
            self.assertEqual(key.pin, vector["identity"]["fingerprint"])
            self.assertEqual(app_key_psk(key.secret).hex(), vector["appKey"]["psk"])
            return app_key_psk(key.secret)
        return unhex(vector["before"]["psk"]) if vector["before"] else b""

    def conversation(self, vector, prk):
        secrets = handshake_secrets(prk)
        named = {"park": secrets.park, "clientHandshake": secrets.client, "serverHandshake": secrets.server}
        for name, value in named.items():
            self.assertEqual(value.hex(), vector["schedule"][name])
        client, server, sealer = Chain(), Chain(), Sealer(0x10, secrets.client)
        for each in vector["records"]:
            plaintext, record = each["plaintext"].encode(), unhex(each["record"])
            if each["from"] == "client":
                self.assertEqual(sealer.seal(plaintext), record)
            else:
                self.refuses_changes(HANDSHAKE_DOWN, secrets.server, record)
                self.assertEqual(open_record(HANDSHAKE_DOWN, secrets.server, record), plaintext)
                plaintexts.read(plaintext, plaintexts.HANDSHAKE, "record")
            chain = client if each["from"] == "client" else server
            chain.add(plaintext)
            self.assertEqual(chain.values[-1].hex(), each["chain"])
        return client, server, secrets

    def verdict(self, vector, prk, client, server, secrets):
        plaintext = open_record(HANDSHAKE_DOWN, secrets.server, unhex(vector["accepted"]["record"]))
        self.assertEqual(plaintext.decode(), vector["accepted"]["plaintext"])
        accepted = plaintexts.read(plaintext, plaintexts.HANDSHAKE, "accepted")
        value = finish(unhex(vector["schedule"]["th"]), client, accepted["nC"], server)
        self.assertEqual(value, accepted["F"])
        self.assertEqual(value.hex(), vector["finish"]["F"])
        keys, said = application_secrets(prk, value), vector["application"]
        named = {"client": keys.client, "server": keys.server, "resume": keys.resume, "words": keys.words}
        for name, secret in {**named, "stepUp": keys.step_up}.items():
            self.assertEqual(secret.hex(), said[name])
        up, down = vector["applicationRecords"]
        self.assertEqual(Sealer(0x20, keys.client).seal(up["plaintext"].encode()), unhex(up["record"]))
        self.refuses_changes(APPLICATION_DOWN, keys.server, unhex(down["record"]))
        opened = open_record(APPLICATION_DOWN, keys.server, unhex(down["record"]))
        self.assertEqual(plaintexts.read(opened, plaintexts.APPLICATION, "record")["what"], "kicked")

    def refuses_changes(self, kind, secret, record):
        for at in (0, 4, 20, 28, 29, -1):
            with self.assertRaises(ProtocolError):
                open_record(kind, secret, flipped(record, at))
        for cut in (record[:-1], record[:28], record + b"\0", b""):
            with self.assertRaises(ProtocolError):
                open_record(kind, secret, cut)


class Hellos(unittest.TestCase):
    def test_refuses_a_bundle_that_the_identity_key_did_not_sign(self):
        vector = SCHEDULE[0]
        hello = vector["hello"]
        signature = hello["frame"].split('"sig":"')[1].split('"')[0]
        other = ("B" if signature[0] == "A" else "A") + signature[1:]
        parsed = parse_hello(hello["frame"].replace(signature, other))
        self.assertNotEqual(parsed.signature, from_base64url(signature, ""))
        with self.assertRaises(WrongServer):
            check_hello(parsed, vector["identity"]["fingerprint"], NOW)

    def test_refuses_a_hello_that_is_not_exactly_one(self):
        frame = SCHEDULE[0]["hello"]["frame"]
        hid = SCHEDULE[0]["hello"]["hid"]
        self.assertRaises(ProtocolError, parse_hello, frame.replace(hid, hid[:-1] + "h"))
        for wrong in (
            frame[:-1] + ',"more":1}',
            frame.replace('"nonce"', '"nonc"'),
            frame + " " * 8192,
            frame.encode(),
        ):
            with self.assertRaises(ProtocolError):
                parse_hello(wrong)
