Gem::Specification.new do |spec|
  spec.name = "sum"
  spec.version = "1.0.0"
  spec.required_ruby_version = ">= 3.0"
  spec.add_development_dependency "minitest", "~> 5.0"
  spec.add_development_dependency "rake"
end
