Gem::Specification.new do |spec|
  spec.name = "sum"
  spec.version = "1.0.0"
  spec.add_dependency "rack", "~> 3.0"
  spec.add_dependency "zeitwerk", "~> 2.6", ">= 2.6.1"
  spec.add_development_dependency("rspec", ">= 3.12")
end
