import unittest

from portcullis import plaintexts
from portcullis.encoding import ProtocolError, from_base64url, u64be
from portcullis.epochs import Epoch, StepKey
from portcullis.frames import message_up, parse_message_down
from portcullis.records import APPLICATION_DOWN, APPLICATION_UP, Sealer, open_record, parse_group_record

from .vectors import flipped, load, unhex

SEALED = load("sealed.json")
GRANT = SEALED["grant"]


def epoch(socket=GRANT["socket"]):
    start = StepKey(GRANT["step"], from_base64url(GRANT["key"], ""))
    return Epoch(socket, GRANT["epoch"], from_base64url(GRANT["verify"], ""), [start])


class Records(unittest.TestCase):
    def test_of_client_and_server(self):
        sealer = Sealer(APPLICATION_UP, unhex(SEALED["client"]))
        for each in SEALED["records"]:
            plaintext, record = unhex(each["plaintext"]), unhex(each["record"])
            if each["from"] == "client":
                self.assertEqual(sealer.seal(plaintext), record)
                continue
            self.assertEqual(record[21:29], u64be(each["counter"]))
            self.assertEqual(open_record(APPLICATION_DOWN, unhex(SEALED["server"]), record), plaintext)
            self.read(plaintext)

    def test_of_the_group_step_by_step(self):
        keys = epoch()
        for each in SEALED["groupRecords"]:
            record = unhex(each["record"])
            self.assertEqual(record.hex(), each["header"] + each["ciphertext"] + each["signature"])
            self.assertEqual(keys.open(parse_group_record(record)), unhex(each["plaintext"]))
            self.assertEqual((keys.keys[-1].step, keys.keys[-1].key.hex()), (each["step"], each["groupKey"]))
            self.read(unhex(each["plaintext"]))

    def test_refuses_group_records_that_the_epoch_key_did_not_sign(self):
        record = unhex(SEALED["groupRecords"][0]["record"])
        for at in (0, 1, 8, 24, 32, 33, -65, -64, -1):
            with self.assertRaises(ProtocolError):
                epoch().open(parse_group_record(flipped(record, at)))
        with self.assertRaises(ProtocolError):
            epoch("b3RoZXI").open(parse_group_record(record))

    def read(self, plaintext):
        said = SEALED["message"]
        if plaintext[0] == 0x41:
            message = parse_message_down(plaintext)
            self.assertEqual((message.place, message.body.hex()), (said["head"]["place"], said["body"]))
            self.assertEqual(message_up(message.sequence, message.body), unhex(SEALED["records"][0]["plaintext"]))
        else:
            plaintexts.read(plaintext, {**plaintexts.APPLICATION, **plaintexts.GROUP_WIDE}, "record")
