"""Makes base images present: the engine's own, else pulled, else a stand-in."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.images import layers
from tests.images.engine_client import EngineClient, StandInError
from tests.images.pull import Pulled, pull
from tests.images.recipes import BUSYBOX, KEY_LABEL, LABEL, Recipe, find_recipe

Say = Callable[[str], None]
BUILDS_AT_ONCE = 4


def full_reference(reference: str) -> str:
    """The reference with its tag: `busybox` is `busybox:latest`."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def ensure(client: EngineClient, references: Sequence[str], say: Say) -> None:
    """Makes all of `references` present in the engine. Raises StandInError or UnknownImage."""
    missing = [reference for reference in references if not _is_present(client, reference, say)]
    if not missing:
        return
    with _only_one():
        # Somebody else may have made them while we waited.
        wanted = [reference for reference in missing if client.labels(reference) is None or _is_old(client, reference)]
        _build_all(client, _pull_all(client, wanted, say), say)


def _is_present(client: EngineClient, reference: str, say: Say) -> bool:
    labels = client.labels(reference)
    if labels is None:
        return False
    if LABEL not in labels:
        say(f"{reference}: present")
        return True
    if _is_old(client, reference):
        say(f"{reference}: a stand-in of an older recipe is present")
        return False
    say(f"{reference}: present (stand-in)")
    return True


def _is_old(client: EngineClient, reference: str) -> bool:
    labels = client.labels(reference) or {}
    return LABEL in labels and labels.get(KEY_LABEL) != _key(reference)


def _key(reference: str) -> str:
    return layers.BUSYBOX_KEY if reference == BUSYBOX else layers.stand_in_key(find_recipe(reference))


def _pull_all(client: EngineClient, references: Sequence[str], say: Say) -> list[str]:
    """Pulls what can be pulled and returns the rest; a registry that is not there is asked once."""
    rest = []
    reachable = True
    for reference in references:
        if not reachable:
            rest.append(reference)
            continue
        outcome, reason = pull(client.address, reference)
        if outcome is Pulled.DONE:
            say(f"{reference}: pulled")
        elif outcome is Pulled.UNREACHABLE:
            say(f"{reference}: {outcome.value} ({reason}), stand-ins are made")
            reachable = False
            rest.append(reference)
        else:
            raise StandInError(f"{reference} cannot be pulled: {reason}")
    return rest


def _build_all(client: EngineClient, references: Sequence[str], say: Say) -> None:
    recipes: dict[str, Recipe] = {name: find_recipe(name) for name in references if name != BUSYBOX}
    if BUSYBOX in references:
        layers.build_busybox(client, BUSYBOX)
        say(f"{BUSYBOX}: stand-in made")
    if not recipes:
        return
    layers.install_bootstrap(say)
    suites = list(dict.fromkeys(recipe.suite for recipe in recipes.values()))
    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        bases = {suite: pool.submit(layers.ensure_base, client, suite, say) for suite in suites}

        def build(reference: str, recipe: Recipe) -> None:
            base = bases[recipe.suite].result()
            layers.build_stand_in(client, reference, recipe, base)
            say(f"{reference}: stand-in made")

        waiting = [pool.submit(build, reference, recipe) for reference, recipe in recipes.items()]
        for one in waiting:
            one.result()


@contextmanager
def _only_one() -> Iterator[None]:
    """One making of stand-ins at a time: two would do the same work."""
    folder = layers.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
