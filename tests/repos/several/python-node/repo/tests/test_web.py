from web import NAME


def test_name():
    assert NAME == "web"
