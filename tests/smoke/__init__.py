"""The smoke test of the composed product: the README's own lines, and everything that may happen to a machine."""
