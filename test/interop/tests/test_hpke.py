import unittest

from portcullis.encoding import ProtocolError
from portcullis.hpke import MODE_BASE, MODE_PSK, SUITES, DhkemX25519, diffie_hellman, key_schedule, x25519_public

from .vectors import flipped, load, unhex

KEM = DhkemX25519()


def opened(vector, key_bytes=16):
    shared = KEM.decapsulate(unhex(vector["enc"]), unhex(vector["skRm"]))
    mode = MODE_PSK if vector["mode"] == "psk" else MODE_BASE
    info, psk, psk_id = (unhex(vector[name]) for name in ("info", "psk", "pskId"))
    return shared, key_schedule(KEM, mode, shared, info, psk, psk_id, key_bytes)


class Rfc9180(unittest.TestCase):
    def test_appendix_a(self):
        self.agrees(load("rfc9180.json")["vectors"], 16)

    def test_the_suite_that_is_used(self):
        self.agrees(load("rfc9180.json")["aes256gcm"]["vectors"], 32)

    def agrees(self, vectors, key_bytes):
        for vector in vectors:
            self.assertEqual(x25519_public(unhex(vector["skRm"])).hex(), vector["pkRm"])
            shared, context = opened(vector, key_bytes)
            self.assertEqual(shared.hex(), vector["sharedSecret"])
            self.assertEqual(context.key.hex(), vector["key"])
            self.assertEqual(context.base_nonce.hex(), vector["baseNonce"])
            if "exporterSecret" in vector:
                self.assertEqual(context.exporter_secret.hex(), vector["exporterSecret"])
            for each in vector["encryptions"]:
                self.assertEqual(context.open(unhex(each["aad"]), unhex(each["ct"])).hex(), each["pt"])
            for each in vector["exports"]:
                self.assertEqual(context.export(unhex(each["context"]), each["length"]).hex(), each["value"])

    def test_refuses_what_was_changed(self):
        vector = load("rfc9180.json")["vectors"][0]
        first = vector["encryptions"][0]
        with self.assertRaises(ProtocolError):
            opened(vector)[1].open(unhex(first["aad"]), flipped(unhex(first["ct"])))

    def test_refuses_a_mode_that_does_not_go_with_the_psk(self):
        for mode, psk, psk_id in ((MODE_PSK, b"", b""), (MODE_BASE, bytes(32), b"x"), (MODE_PSK, bytes(32), b"")):
            with self.assertRaises(ValueError):
                key_schedule(KEM, mode, bytes(32), b"", psk, psk_id)

    def test_refuses_a_public_key_of_low_order(self):
        with self.assertRaises(ProtocolError):
            diffie_hellman(bytes(range(32)), bytes(32))


class XWing(unittest.TestCase):
    def test_its_own_vectors(self):
        kem = SUITES["647a"]
        for vector in load("xwing.json")["vectors"]:
            public_key = kem.public_key(unhex(vector["sk"]))
            self.assertEqual(public_key.hex(), vector["pk"])
            self.assertEqual(kem.decapsulate(unhex(vector["ct"]), unhex(vector["sk"])).hex(), vector["ss"])
            shared_secret, enc = kem.encapsulate(public_key)
            self.assertEqual(kem.decapsulate(enc, unhex(vector["sk"])), shared_secret)

    def test_the_vector_of_its_use_in_hpke(self):
        kem = SUITES["647a"]
        (vector,) = load("hpke-pq.json")["vectors"]
        self.assertEqual(kem.public_key(unhex(vector["skRm"])).hex(), vector["pkRm"])
        self.assertEqual(kem.decapsulate(unhex(vector["enc"]), unhex(vector["skRm"])).hex(), vector["sharedSecret"])
