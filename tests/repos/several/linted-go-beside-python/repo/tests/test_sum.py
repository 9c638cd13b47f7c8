def test_sum():
    assert 1 + 2 == 3
