"""Images of plans: key, cache lookup, one build at a time, the runner layer on top, and their upkeep."""
