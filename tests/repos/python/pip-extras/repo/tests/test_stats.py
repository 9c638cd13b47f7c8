import pytest

from stats import mean


def test_mean():
    assert mean([1, 2]) == pytest.approx(1.5)
