"""Becomes a server that ends with its parent.

`python launch.py PARENT_PID SIGNAL UID GID COMMAND...`: drops to UID and GID (unless they are -1), asks the
kernel for SIGNAL when the parent dies (Linux only), and executes the command under the same pid. It is a
program, not a `preexec_fn`: running Python between fork and exec is unsafe beside threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command. Exits with a sentence if that cannot be done."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # Only now: a change of credentials clears it.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != parent:
            sys.exit("the parent died before the server started")
    os.umask(0o077)
    # Python ignores SIGPIPE, and what is ignored stays so in the new program.
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell on purpose
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
