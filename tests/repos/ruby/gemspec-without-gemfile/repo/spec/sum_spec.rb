RSpec.describe("sum") { it { expect(1 + 2).to eq(3) } }
