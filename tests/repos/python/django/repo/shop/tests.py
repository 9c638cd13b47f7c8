from django.test import TestCase


class ShopTest(TestCase):
    pass
