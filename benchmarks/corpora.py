"""The source trees that benchmarks look at, fetched once into a cache folder outside the repository.

`corpus("django")` is the source release of Django 5.2 with its tests; `corpus("stdlib")` is a copy of the
running interpreter's own library, tests included where they are installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DJANGO: Final = "django==5.2.*"
NOT_LIBRARY: Final = ("site-packages", "dist-packages", "__pycache__", "lib-dynload")


def default_cache() -> Path:
    """Return where corpora and the tools' environments are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hefesto-benchmarks"


def corpus(name: str, cache: Path | None = None) -> Path:
    """Return the folder of a corpus, fetching it the first time; never change what is in it.

    Raises KeyError for a name that is not in `CORPORA`, CalledProcessError when the download fails.
    """
    return CORPORA[name]((cache or default_cache()) / "corpora")


def python_files(folder: Path) -> list[Path]:
    """Return the regular `.py` files beneath a folder, in a fixed order: the `files` of every benchmark."""
    return sorted(path for path in folder.rglob("*.py") if path.is_file() and not path.is_symlink())


def copy(folder: Path, into: Path, subset: int | None = None) -> Path:
    """Copy a corpus to a place where it may be changed, keeping times.

    With `subset`, take that many of its `.py` files, evenly spread, and nothing else.
    """
    if subset is None:
        return shutil.copytree(folder, into, symlinks=True)
    files = python_files(folder)
    for index in range(min(subset, len(files))):
        source = files[index * len(files) // min(subset, len(files))]
        target = into / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return into


def _django(folder: Path) -> Path:
    known = sorted(folder.glob("django-5.2*/"))
    return known[-1] if known else release(DJANGO, folder)


def release(requirement: str, folder: Path) -> Path:
    """Fetch a project's source release into a folder, and return its tree (`name-version`).

    Raises CalledProcessError when it cannot be had.
    """
    with _beside(folder) as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, requirement, "--dest", str(work)], check=True)
        archive = next(work.glob("*.tar.gz"))
        # "data" refuses absolute paths, paths and links that leave the folder, and devices
        with tarfile.open(archive) as opened:
            opened.extractall(work / "tree", filter="data")
        (tree,) = (work / "tree").iterdir()
        return _placed(tree, folder / tree.name)


def _stdlib(folder: Path) -> Path:
    target = folder / f"cpython-{platform.python_version()}"
    if not target.is_dir():
        with _beside(folder) as work:
            library = Path(sysconfig.get_path("stdlib"))
            ignore = shutil.ignore_patterns(*NOT_LIBRARY)
            _placed(shutil.copytree(library, work / "tree", symlinks=True, ignore=ignore), target)
    return target


def _placed(tree: Path, target: Path) -> Path:
    """Move a tree to its place, unless another run was faster."""
    try:
        return tree.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return target


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a scratch folder on the same file system: a corpus appears whole, by a rename, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as work:
        yield Path(work)


CORPORA: Final[Mapping[str, Callable[[Path], Path]]] = {"django": _django, "stdlib": _stdlib}


def main() -> None:
    """Fetch the corpora and say where they are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CORPORA)}; default: all")
    parser.add_argument("--cache", type=Path, help=f"default: {default_cache()}")
    options = parser.parse_args()
    for name in options.names or CORPORA:
        folder = corpus(name, options.cache)
        print(f"{name}: {len(python_files(folder))} .py files in {folder}")


if __name__ == "__main__":
    main()
