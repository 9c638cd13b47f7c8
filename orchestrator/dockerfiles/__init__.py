"""Reads Dockerfiles as BuildKit does: what they copy, what they may not do, and whose may be built."""
