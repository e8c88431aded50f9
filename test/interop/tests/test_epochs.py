import unittest
from unittest.mock import patch

from portcullis.encoding import ProtocolError
from portcullis.epochs import STEP_KEPT_SECONDS, Epochs

from .server import Epoch
from .vectors import flipped


class Steps(unittest.TestCase):
    def setUp(self):
        self.epoch = Epoch(7)
        self.sealed = [self.epoch.seal(step, b"%d" % step, step) for step in range(4)]

    def joined(self, step):
        epochs = Epochs()
        epochs.learn(self.epoch.group_at(step))
        return epochs

    def test_who_comes_opens_what_is_said_from_then_on_and_nothing_earlier(self):
        epochs = self.joined(2)
        self.assertEqual([epochs.open(each) for each in self.sealed], [None, None, b"2", b"3"])
        self.assertFalse(epochs.is_to_be_asked_for)

    def test_records_may_overtake_each_other_for_a_moment_and_then_the_keys_are_gone(self):
        epochs = self.joined(0)
        with patch("portcullis.epochs.time.monotonic") as clock:
            clock.return_value = 0
            self.assertEqual([epochs.open(self.sealed[step]) for step in (2, 1, 0)], [b"2", b"1", b"0"])
            clock.return_value = STEP_KEPT_SECONDS - 1
            self.assertEqual([epochs.open(self.sealed[step]) for step in (3, 0)], [b"3", b"0"])
            clock.return_value = STEP_KEPT_SECONDS
            self.assertEqual([epochs.open(self.sealed[step]) for step in (3, 2, 0)], [b"3", b"2", None])
            clock.return_value = 2 * STEP_KEPT_SECONDS
            self.assertEqual([epochs.open(each) for each in self.sealed], [None, None, None, b"3"])

    def test_nobody_but_the_server_moves_it_on(self):
        epochs = self.joined(0)
        for forged in (flipped(self.sealed[3]), self.sealed[0][:8] + b"\3" + self.sealed[0][9:]):
            self.assertRaises(ProtocolError, epochs.open, forged)
        self.assertEqual(epochs.steps, [0])

    def test_what_is_known_is_not_set_back(self):
        epochs = self.joined(1)
        epochs.open(self.sealed[3])
        epochs.learn(self.epoch.group_at(0))
        self.assertEqual((epochs.steps, epochs.open(self.sealed[0])), ([3], None))

    def test_ends_with_the_last_step(self):
        epochs = self.joined(1024)
        self.assertEqual(epochs.open(self.epoch.seal(0, b"last", 1024)), b"last")
        self.assertRaises(ProtocolError, epochs.open, self.epoch.seal(0, b"more", 1025))
