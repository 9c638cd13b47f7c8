"""Greets people."""

import idna


def greet(name: str) -> str:
    return f"Hello, {name}!"


def encode(domain: str) -> bytes:
    return idna.encode(domain)
