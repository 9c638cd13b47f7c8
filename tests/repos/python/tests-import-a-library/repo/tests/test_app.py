import unittest

from hypothesis import given
