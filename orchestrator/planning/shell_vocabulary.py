"""The words that mean something to a shell, and the programs whose calls do nothing that counts."""

from __future__ import annotations

import re

PROCESSORS = re.compile(r"\$\(nproc(?: --all)?\)|`nproc(?: --all)?`|\$\(getconf _NPROCESSORS_ONLN\)")
FLAGS_OF_SHELL = re.compile(r"-[eluxo]*c|-[elux]{1,4}|-[elux]{0,4}o|pipefail")
PROGRAM = re.compile(r"(?:\./)?[A-Za-z0-9_][A-Za-z0-9_./+:@-]*")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,60})=(.*)", re.DOTALL)
NOISE = frozenset(
    {
        "echo",
        "printf",
        "true",
        ":",
        "set",
        "shopt",
        "source",
        ".",
        "pwd",
        "sleep",
        "ls",
        "trap",
        "unset",
        "cat",
        "df",
        "uname",
        "date",
    }
)
ENDING = frozenset({"exit", "return", "exec"})
ASKING = frozenset({"test", "command", "type", "hash", "which", "eval"})
"""What follows these in a chain runs at times only."""

OPENERS = frozenset({"if", "for", "while", "until", "case", "select", "{", "[["})
CLOSERS = frozenset({"fi", "done", "esac", "}", "]]"})
BEFORE_COMMANDS = frozenset({"then", "do", "else", "elif", "!", "time"})
MOVING = frozenset({"cd", "pushd", "popd"})
SHELLS = frozenset({"bash", "sh"})
