"""Where jobs run: the `Runner` interface, and its backends."""
