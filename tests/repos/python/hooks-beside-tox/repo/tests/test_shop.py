def test_works():
    assert True
