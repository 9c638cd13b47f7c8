"""Scripts of strangers: a command is read only where it surely runs, in the folder that is said."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.planning.folder_path import joined
from orchestrator.planning.shell_script import MAX_COMMANDS, read_script

PIECES = [
    "a",
    "$x",
    "$(b)",
    "`c`",
    "'",
    '"',
    "\\",
    "\n",
    ";",
    "&&",
    "||",
    "|",
    "(",
    ")",
    "{",
    "}",
    "<<E",
    "E",
    " ",
    "#",
]
PIECES += [
    "if",
    "fi",
    "for",
    "do",
    "done",
    "case",
    "esac",
    "cd d",
    "exit",
    "exec",
    "f()",
    "[[",
    "]]",
    "> x",
    "A=b",
    "é",
]


def texts(script: str, folder: str = "") -> list[str]:
    return [command.text for command in read_script(script, folder).commands]


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("pytest -q\n\nruff check .  # all\n# mypy\n", ["pytest -q", "ruff check ."]),
        ("set -euxo pipefail\npip install -e . && pytest; mypy src", ["pip install -e .", "pytest", "mypy src"]),
        ("go test \\\n  -race \\\n  ./...", ["go test -race ./..."]),
        ("pytest -m \"not slow\" 'a b.py'", ["pytest -m 'not slow' 'a b.py'"]),
        ("pip install -e .[test,dev]", ["pip install -e '.[test,dev]'"]),
        ("npx prettier --check 'src/**/*.ts'", ["npx prettier --check 'src/**/*.ts'"]),
        ("pytest 2>&1 | tee log.txt", ["pytest"]),
        ("pytest || exit 1\nmypy", ["pytest", "mypy"]),
        ("source .venv/bin/activate\npytest", ["pytest"]),
        ('X=tests\npytest $X/unit "${X}"', ["pytest tests/unit tests"]),
        ("exec ./run.sh\npytest", ["./run.sh"]),
        ("exit 0\npytest", []),
        ("run() {\n  pytest a\n}\nrun\npytest b", ["pytest b"]),
        ("function run { pytest a; }\nrun\npytest b", ["pytest b"]),
        ("if true; then\n  pytest a\nelse pytest b; fi\npytest c", ["pytest c"]),
        ("for x in a b; do\n if y; then pytest $x; fi\ndone\npytest c", ["pytest c"]),
        ("case $x in\n a) pytest a;;\n *) pytest b;;\nesac\npytest c", ["pytest c"]),
        ("[[ -n $x && -f y ]] && pytest a\npytest b", ["pytest b"]),
        ("test -f x && pytest a\n[ -f x ] && pytest b\npytest c", ["pytest c"]),
        ("cat <<EOF > x\npytest a\nEOF\npytest b", ["pytest b"]),
        ("cat <<'A' <<-B\npytest a\nA\npytest b\n\tB\npytest c", ["pytest c"]),
        ("pytest a || true\n! pytest b\npytest c &\npytest d > log\npytest e | cat\npytest f", ["pytest f"]),
        ('pytest $(ls)\npytest `ls`\npytest $x\npytest "$x"\npytest {a,b}\npytest ~/x\npytest g', ["pytest g"]),
        ("(pytest a) || true\n(pytest b)\n(pytest c) && true", ["pytest b"]),
        ("foo && exit 0\npytest", []),
        ("pytest a\npytest 'b", ["pytest a"]),
        ("pytest a\npytest $(b", ["pytest a"]),
        ("/usr/bin/pytest\n../x\n./y\nx/../y", ["./y"]),
        ("A=1 pytest\nA=$(x) pytest b", ["pytest"]),
        ("x=(a b)\npytest", ["pytest"]),
        ("eval pytest a\ncommand -v x && pytest b\npytest c", ["pytest c"]),
        ("échec\npytest é\npytest a", ["pytest a"]),
    ],
)
def test_commands_that_surely_run(script: str, commands: list[str]) -> None:
    assert texts(script) == commands


@pytest.mark.parametrize(
    ("script", "places"),
    [
        ("cd web && npm test\nnpm run lint", ["web", "web"]),
        ("(cd web && npm test)\nnpm run lint", ["web", ""]),
        ("cd web\ncd ../api\nnpm test\ncd ..\nnpm test", ["api", ""]),
        ("cd ./web/ || exit 1\nnpm test", ["web"]),
        ("cd ../outside\nnpm test", []),
        ("npm test\ncd $x\nnpm test", [""]),
        ("npm test\nif x; then cd y; fi\nnpm test", [""]),
        ("npm test\npushd web\nnpm test", [""]),
        ("cd /github/workspace/web\nnpm test", ["web"]),
        ("cd /opt\nnpm test", []),
    ],
)
def test_folders(script: str, places: list[str]) -> None:
    assert [command.folder for command in read_script(script).commands] == places


def test_variables_of_a_command_are_those_that_are_set_for_it() -> None:
    script = "export A=1 B=$x\nC=2\nD=3 run a\nrun b"
    assert [command.env for command in read_script(script).commands] == [(("A", "1"), ("D", "3")), (("A", "1"),)]


def test_known_variables_are_put_in_as_words() -> None:
    reading = read_script("run $ALL '$ALL' \"$ALL\" $NONE", "", {"ALL": "a b"})
    assert reading.commands == ()
    assert reading.begun == ("run a b",)
    assert [one.text for one in read_script('run $ALL "$ALL"', "", {"ALL": "a b"}).commands] == ["run a b 'a b'"]


def test_what_begins_plain_is_told_although_it_is_not_whole() -> None:
    reading = read_script("go test $(PKGS) -v\necho done")
    assert not reading.whole
    assert reading.begun == ("go test",)
    assert read_script("go test ./...\necho done").whole


def test_paths_stay_in_the_repository() -> None:
    assert joined("a", "../b/./c/") == "b/c"
    assert joined("a", "../..") is None
    assert joined("", "/etc") is None
    assert joined("", "a;b") is None
    assert joined("a", "/github/workspace") == ""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_no_command_holds_what_a_shell_would_obey(pieces: list[str]) -> None:
    for script in ("".join(pieces), " ".join(pieces)):
        reading = read_script(script)
        assert len(reading.commands) <= MAX_COMMANDS
        for command in reading.commands:
            bare = re.sub(r"'[^']*'", "", command.text)
            assert not set(bare) & set('$`"\\;&|<>(){}#\n')
            assert shlex.split(command.text)
            assert joined("", command.folder) == command.folder


@pytest.mark.parametrize(
    "unit", ["$(", "`", "'", '"', "${", "<<a ", "(", "((a) ", "if ", "a && ", "$((", "\\", "x=(", "{ "]
)
def test_scripts_without_ends_are_read_soon(unit: str) -> None:
    read_script(unit * (16_000 // len(unit)))
    read_script("a\n" + (unit + "\n") * (16_000 // (len(unit) + 1)))


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("bash -c 'npm ci && npm test'", ["npm ci", "npm test"]),
        ('bash -euo pipefail -c "cd web; npm test"\nnpm run lint', ["npm test", "npm run lint"]),
        ("sh -c 'if x; then y; fi; npm test'", ["npm test"]),
        ("X=2 bash -c 'run $X'", ["run 2"]),
        ("sh -c 'run $UNKNOWN'", []),
        ("bash -c 'npm test' || true", []),
        ("bash -x ./run.sh", ["bash -x ./run.sh"]),
    ],
)
def test_a_shell_in_quotes_is_what_it_runs(script: str, texts: list[str]) -> None:
    assert [command.text for command in read_script(script).commands] == texts


def test_a_shell_in_quotes_leaves_the_folder_where_it_was() -> None:
    commands = read_script("bash -c 'cd web && npm test'\nnpm test").commands
    assert [(command.folder, command.line) for command in commands] == [("web", 0), ("", 1)]


def test_the_number_of_processors_is_a_plain_one() -> None:
    texts = [command.text for command in read_script('make -j"$(nproc)"\nmake -j`nproc` check').commands]
    assert texts == ["make -j2", "make -j2 check"]


def test_the_workspace_is_the_top_folder() -> None:
    script = "cmake -B /github/workspace/build -DX=/github/workspace/y\ncmake /github/workspace"
    assert [command.text for command in read_script(script).commands] == ["cmake -B build -DX=y"]
