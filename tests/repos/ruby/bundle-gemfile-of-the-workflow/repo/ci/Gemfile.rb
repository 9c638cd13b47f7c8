source "https://rubygems.org"

gem "rspec"
