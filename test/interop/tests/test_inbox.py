import unittest

from portcullis.encoding import ProtocolError
from portcullis.frames import parse_message_down
from portcullis.inbox import Inbox

from .server import message_down


class Inboxes(unittest.TestCase):
    def message(self, place, sequence=None, msgid=None, to=None):
        sequence = place if sequence is None else sequence
        head = {"msgid": msgid or f"m{place}-{sequence}"}
        head |= ({} if place is None else {"place": place}) | ({} if to is None else {"to": to})
        return parse_message_down(message_down(sequence, **head))

    def places(self, inbox):
        return [each.place for each in inbox.ready()]

    def test_orders_by_place_and_drops_what_it_had(self):
        inbox = Inbox(4)
        for place in (6, 4, 7, 5, 6):
            inbox.put(self.message(place), "me")
        self.assertEqual((self.places(inbox), inbox.has_gap), ([5, 6, 7], False))
        self.assertEqual(inbox.behind, {})

    def test_opens_what_it_put_aside_when_nothing_else_comes(self):
        for is_complete, lost in ((True, []), (False, [(1, 1), (3, 3)])):
            inbox = Inbox(0)
            inbox.put(self.message(2), "me")
            inbox.heard_of(3)
            inbox.asked()
            inbox.caught_up(3, is_complete)
            self.assertEqual((self.places(inbox), inbox.lost, inbox.has_gap), ([2], lost, False))

    def test_waits_for_a_place_that_was_given_after_it_asked(self):
        inbox = Inbox(0)
        inbox.asked()
        inbox.caught_up(1, False)
        self.assertEqual((inbox.last, inbox.lost), (0, []))

    def test_drops_by_sequence_and_msgid_where_there_are_no_places(self):
        inbox = Inbox(None)
        for sequence, msgid in ((1, "a"), (1, "b"), (0, "c"), (2, "a"), (3, "d")):
            inbox.put(self.message(None, sequence, msgid), "me")
        self.assertEqual([each.msgid for each in inbox.ready()], ["a", "d"])

    def test_refuses_what_was_said_to_somebody_else(self):
        with self.assertRaises(ProtocolError):
            Inbox(0).put(self.message(None, 0, to="you"), "me")
