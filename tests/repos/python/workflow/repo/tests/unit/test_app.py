def test_app():
    import app

    assert app
