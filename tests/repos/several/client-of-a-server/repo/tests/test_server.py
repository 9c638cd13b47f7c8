from server import NAME


def test_name():
    assert NAME == "notes"
