"""Server-rendered pages: HTML out of values, without scripts."""
