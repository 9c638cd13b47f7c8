"""Who sits at the command line, as the audit trail names them."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """Return the name of the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that no passwd file knows, as in a container
        return f"uid {os.getuid()}"


def actor() -> str:
    """Return who does what a command does to runs and installations."""
    return f"{user()} (command line)"
