import unittest


class WorksTest(unittest.TestCase):
    def test_works(self):
        self.assertTrue(True)
