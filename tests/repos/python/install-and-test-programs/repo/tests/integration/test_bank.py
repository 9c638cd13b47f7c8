def test_bank():
    pass
