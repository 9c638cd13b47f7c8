"""Turns a queued attempt into a finished one: source, plan, image, sandbox, result."""
