require "minitest/autorun"

class SumTest < Minitest::Test
  def test_adds
    assert_equal 3, 1 + 2
  end
end
