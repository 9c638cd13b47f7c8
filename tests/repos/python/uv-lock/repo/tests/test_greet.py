from greeter import encode, greet


def test_greet():
    assert greet("Ada") == "Hello, Ada!"


def test_encode():
    assert encode("straße.de").startswith(b"xn--")
