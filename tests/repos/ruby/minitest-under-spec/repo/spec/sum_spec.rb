require "minitest/autorun"

describe "sum" do
  it "adds" do
    _(1 + 2).must_equal 3
  end
end
