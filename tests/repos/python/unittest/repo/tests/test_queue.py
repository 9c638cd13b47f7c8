import unittest

from queue_of_things import Queue


class QueueTest(unittest.TestCase):
    def test_first_in_first_out(self):
        queue = Queue()
        queue.push(1)
        queue.push(2)
        self.assertEqual(queue.pop(), 1)
