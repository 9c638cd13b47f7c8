Gem::Specification.new do |spec|
  spec.add_development_dependency "rspec"
  spec.add_development_dependency "rake"
end
