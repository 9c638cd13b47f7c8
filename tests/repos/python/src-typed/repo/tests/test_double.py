from typed import double


def test_double() -> None:
    assert double(2) == 4
