import pytest


def test_works():
    assert pytest
