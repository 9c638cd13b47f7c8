"""Which cells of a job's matrix count: those of Linux, at the default versions, one for each task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product

from orchestrator.planning.versions import NODE_DEFAULT, PYTHON_DEFAULT

MAX_CELLS = 64
MAX_KEPT = 12
MAX_VALUES = 20
MAX_KEYS = 20
MAX_TEXT = 200
"""Characters of a value that tell its system."""


Cell = dict[str, object]

VERSION = re.compile(
    r"(?:c?python|pypy|graalpy|py|jruby|truffleruby|mruby|ruby|node|go|rust|v)?[-@]?[~^<>= ]*[0-9]{1,4}"
    r"(?:\.(?:[0-9]{1,4}|x|\*)){0,3}(?:\.?[-+a-z][a-z0-9.+-]{0,20})?|lts(?:/[a-z*0-9-]{1,20})?|(?:old)?stable|beta|nightly"
    r"|latest|current|head|debug|canary|next|msrv",
    re.IGNORECASE,
)
NUMBER = re.compile(r"[0-9]+")
RELEASED = re.compile(r"v?[~^>=]*[0-9]{1,4}(?:\.(?:[0-9]{1,4}|x|\*)){0,3}", re.IGNORECASE)
OTHER_SYSTEM = re.compile(
    r"windows|macos|mac-|darwin|win32|win64|freebsd|(?:^|[-_])arm(?:64|el|hf|v[67])?(?:$|[-_])|aarch64|musllinux"
    r"|(?:^|[-_])(?:mips|ppc|powerpc|riscv|s390|i[36]86)|^x86$|32.?bit",
    re.IGNORECASE,
)
SYSTEM_KEYS = frozenset(
    {"os", "platform", "runner", "runs-on", "runs_on", "system", "target", "image", "host", "arch", "architecture"}
)


def cells_of(matrix: object) -> list[Cell] | None:
    """Return the cells that run on Linux, at most `MAX_CELLS`; None where the matrix is not known, and for none [{}].

    The first one is that of the first values. Cells of other systems come where there is no other.
    """
    if matrix is None:
        return [{}]
    if not isinstance(matrix, dict):
        return None
    included = _entries(matrix.get("include"))
    excluded = _entries(matrix.get("exclude"))
    written = [(key, value) for key, value in matrix.items() if key not in ("include", "exclude")][:MAX_KEYS]
    axes = {key: value[:MAX_VALUES] for key, value in written if isinstance(value, list)}
    if isinstance(matrix.get("include"), str) or any(not values for values in axes.values()):
        return None
    ranked = {key: sorted(values, key=_is_other_system) for key, values in axes.items()}
    cells: list[Cell] = []
    if axes:
        drawn = (dict(zip(ranked, values, strict=True)) for values in islice(product(*ranked.values()), 4 * MAX_CELLS))
        cells = [cell for cell in drawn if not any(_matches(cell, one) for one in excluded)][:MAX_CELLS]
    cells = _with_included(cells, included, frozenset(axes))
    linux = [cell for cell in cells if not _elsewhere(cell)]
    return linux or cells or None


def chosen_cells(cells: list[Cell]) -> list[Cell]:
    """Return the cells whose commands are read: one for each task, at the versions that are the defaults.

    What a matrix varies besides systems and versions (sessions, scripts, tox environments) are tasks.
    """
    versions = _version_keys(cells)
    kept = cells
    for key in versions:
        best = _best(key, [cell[key] for cell in kept if key in cell])
        kept = [cell for cell in kept if cell.get(key, best) == best]
    tasks = {_task(cell, versions) for cell in kept}
    for cell in cells:
        task = _task(cell, versions)
        if task and task not in tasks and not any(NUMBER.search(word) for word in task):
            tasks.add(task)
            kept.append(cell)
    return list(_one_each(kept))[:MAX_KEPT]


def is_other_system(text: str) -> bool:
    """Return whether the name of a runner is that of another system than Linux on x86."""
    return OTHER_SYSTEM.search(text[:MAX_TEXT]) is not None


def _entries(value: object) -> list[Cell]:
    entries = value[:MAX_CELLS] if isinstance(value, list) else []
    return [dict(list(one.items())[:MAX_KEYS]) for one in entries if isinstance(one, dict)]


def _with_included(cells: list[Cell], included: list[Cell], axes: frozenset[str]) -> list[Cell]:
    """Apply `include`: an entry adds to the cells that it fits, and is a cell of its own where it fits none."""
    own: list[Cell] = []
    original = [dict(cell) for cell in cells]
    for entry in included:
        fits = [
            number for number, cell in enumerate(original) if _matches(cell, {k: entry[k] for k in entry if k in axes})
        ]
        for number in fits:
            cells[number] = {**cells[number], **entry}
        if not fits:
            own.append(dict(entry))
    return (cells + own)[:MAX_CELLS]


def _matches(cell: Cell, part: Cell) -> bool:
    # Strings only: to compare nested aliases can take for ever.
    return all(
        isinstance(value, str) and isinstance(cell.get(key), str) and cell[key] == value for key, value in part.items()
    )


def _is_other_system(value: object) -> bool:
    texts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and is_other_system(text) for text in texts)


def _elsewhere(cell: Cell) -> bool:
    return any(_is_other_system(value) for key, value in cell.items() if key.lower() in SYSTEM_KEYS)


def _version_keys(cells: list[Cell]) -> list[str]:
    keys = dict.fromkeys(key for cell in cells for key in cell if key.lower() not in SYSTEM_KEYS)
    found = []
    for key in keys:
        values = [cell[key] for cell in cells if key in cell]
        if all(isinstance(value, str) and VERSION.fullmatch(value) for value in values):
            found.append(key)
    return found


def _best(key: str, values: list[object]) -> str | None:
    """Return the default of the language, else the newest release, else the first value."""
    texts = [value for value in values if isinstance(value, str)]
    if not texts:
        return None
    default = NODE_DEFAULT if "node" in key.lower() else PYTHON_DEFAULT if "py" in key.lower() else "stable"
    if default in texts:
        return default
    released = [text for text in texts if RELEASED.fullmatch(text)]
    released = released or [text for text in texts if re.match(r"stable|lts|latest|current", text)]
    return max(released, key=_numbers, default=texts[0])


def _numbers(text: str) -> list[int]:
    return [int(number) for number in NUMBER.findall(text)[:4]]


def _task(cell: Cell, versions: list[str]) -> tuple[str, ...]:
    """Return what a cell does besides versions and systems. Its name alone is none."""
    return tuple(
        value
        for key, value in cell.items()
        if isinstance(value, str) and key not in versions and key.lower() not in SYSTEM_KEYS | {"name", "experimental"}
    )


def _one_each(cells: list[Cell]) -> Iterator[Cell]:
    seen: set[tuple[tuple[str, str], ...]] = set()
    for cell in cells:
        ident = tuple(
            (key, value if isinstance(value, str) else str(id(value)))
            for key, value in cell.items()
            if key.lower() not in SYSTEM_KEYS
        )
        if ident not in seen:
            seen.add(ident)
            yield cell
