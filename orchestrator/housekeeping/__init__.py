"""Upkeep: what jobs, builds and runs leave behind goes, by age, and never what is another's or in use."""
