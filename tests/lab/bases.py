"""Builds base systems with mmdebstrap and keeps them, by the hash of their recipe."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab.archive import acquire_options, sources_for
from tests.lab.recipes import CUSTOMIZE, RECIPES, Recipe

PARALLEL_BUILDS = 2
_SHARED_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 1_500_000_000

Say = Callable[[str], None]


class BuildError(RuntimeError):
    """mmdebstrap failed; the text ends with the last lines of its log."""


class Bases:
    """The cached base systems under `directory`: an archive and an unpacked tree of each."""

    def __init__(self, directory: Path, say: Say = print) -> None:
        self._directory = directory
        self._say = say

    def tree(self, name: str) -> Path:
        """Return the unpacked tree of base `name`, built and unpacked when it is not there.

        Raises KeyError for a name that has no recipe and BuildError.
        """
        recipe = RECIPES[name]
        tree = self._directory / f"{recipe.name}-{recipe.digest}"
        if tree.is_dir():
            return tree
        with _locked(self._directory / f"{recipe.name}.lock"):
            if not tree.is_dir():
                self._unpack(recipe, self._archive(recipe), tree)
        return tree

    def build(self, names: Iterable[str]) -> None:
        """Make every base of `names` ready, a few at a time."""
        with ThreadPoolExecutor(PARALLEL_BUILDS) as pool:
            list(pool.map(self.tree, names))

    def _archive(self, recipe: Recipe) -> Path:
        archive = self._directory / f"{recipe.name}-{recipe.digest}.tar.zst"
        if archive.is_file():
            return archive
        started = time.monotonic()
        self._say(f"lab: {recipe.name}: building from {recipe.suite}")
        partial = archive.with_name(f"partial-{recipe.name}.tar.zst")
        log = self._directory / f"{recipe.name}.log"
        with log.open("wb") as output:
            command = _mmdebstrap(recipe, partial)
            done = subprocess.run(command, stdout=output, stderr=output, env=_environment())
        if done.returncode:
            tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
            raise BuildError(f"{recipe.name} could not be built:\n{tail}")
        partial.rename(archive)
        megabytes = archive.stat().st_size // 1_000_000
        self._say(f"lab: {recipe.name}: built, {megabytes} MB, {_since(started)}")
        return archive

    def _unpack(self, recipe: Recipe, archive: Path, tree: Path) -> None:
        started = time.monotonic()
        partial = tree.with_name(f"partial-{tree.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        subprocess.run(
            ["tar", "--zstd", "--xattrs", "--xattrs-include=*", "-xf", archive, "-C", partial],
            check=True,
        )
        partial.rename(tree)
        self._say(f"lab: {recipe.name}: unpacked, {_since(started)}")
        self._drop_older(recipe)

    def _drop_older(self, recipe: Recipe) -> None:
        """Remove archives of former recipes; their trees may still carry running hosts."""
        for old in self._directory.glob(f"{recipe.name}-????????????????.tar.zst"):
            if recipe.digest not in old.name:
                old.unlink()


def _mmdebstrap(recipe: Recipe, target: Path) -> list[str]:
    options = [f"--aptopt={line}" for line in acquire_options()]
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--mode=root",
        f"--include={','.join(recipe.packages)}",
        "--aptopt=APT::Install-Recommends \"false\"",
        "--dpkgopt=force-unsafe-io",
        *options,
        f"--customize-hook={CUSTOMIZE} \"$1\" {recipe.init}",
        recipe.suite,
        str(target),
        *sources_for(recipe.suite),
    ]  # fmt: skip


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    if _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES:
        environment["TMPDIR"] = str(_SHARED_MEMORY)
    return environment


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, so that two runs do not build the same base."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
