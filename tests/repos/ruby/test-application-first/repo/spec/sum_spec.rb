RSpec.describe("sum") {}
