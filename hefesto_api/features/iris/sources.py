"""The text of a project's files: as of a commit, from git objects alone, or as it lies in the tree now."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.adapters.history import NoHistory, open_history
from hefesto_api.analyzers import workspace
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import history_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hefesto_api.adapters.history import History
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.projects import ProjectRecord

MOST_BYTES = 1 << 20
KEPT_SECONDS = 30.0
MOST_KEPT = 32


class Repository(NamedTuple):
    """A repository that holds files of a project.

    Paths of the project begin with `beneath` where those of the repository begin with `inside`.
    """

    history: History
    root: str
    place: str
    inside: str
    beneath: str

    def name(self, path: str) -> str | None:
        """Return the repository's name of a path of the project, if it can hold it."""
        return self.inside + path[len(self.beneath) :] if path.startswith(self.beneath) else None


class Sources:
    """The files of one project, found where its analyses found them; nothing is checked out or run.

    `roots` are where trees and repositories must lie; None is anywhere (the command line). Paths are the
    project's, as findings have them. No method raises for what is not there or cannot be read.
    """

    def __init__(self, db: Database, project: ProjectRecord, roots: Sequence[Path] | None) -> None:
        self._db = db
        self._project = project
        self._roots = None if roots is None else tuple(roots)

    def read(self, path: str, commit: str | None = None) -> bytes | None:
        """Return a file as of a commit (any revision), or as it lies in the tree now.

        None when it is not to be had: unknown, outside the roots, no regular file, over a megabyte.
        """
        if commit is None:
            return next(self._in_trees(path), None)
        for repository in self.repositories:
            name = repository.name(path)
            try:
                found = None if name is None else repository.history.blob(commit, name)
            except HefestoError:
                continue
            if found is not None:
                return found if len(found) <= MOST_BYTES else None
        return None

    def resolve(self, revision: str) -> str | None:
        """Return the full hash of a commit that the project's repository knows by that name."""
        for repository in self.repositories:
            try:
                return repository.history.resolve(revision)
            except HefestoError:
                continue
        return None

    def head(self, path: str | None = None) -> str | None:
        """Return the commit that is checked out, in the repository of a path if one is given."""
        for repository in self.repositories:
            if path is None or repository.name(path) is not None:
                try:
                    head = repository.history.head()
                except HefestoError:
                    continue
                if head is not None:
                    return head.hash
        return None

    @cached_property
    def repositories(self) -> list[Repository]:
        """The repositories of the places that were analysed, the latest first."""
        found: dict[tuple[str, str], Repository] = {}
        for root, place in self.places:
            repository = repository_at(root, place, self._roots)
            if repository is not None:
                found.setdefault((repository.inside, repository.beneath), repository)
        return list(found.values())

    @cached_property
    def places(self) -> list[tuple[str, str]]:
        """Where the project's files were found: roots, and what was looked at beneath them."""
        with self._db.read() as session:
            return places_of(session, self._project)

    def _in_trees(self, path: str) -> Iterator[bytes]:
        for root in dict.fromkeys(root for root, _ in self.places):
            try:
                location = workspace.resolve(root, self._roots or (Path(root),))
                with workspace.open_root(location) as tree:
                    beneath = f"{location.relative}/" if location.relative else ""
                    yield tree.read(beneath + path, MOST_BYTES)
            except HefestoError:
                continue


def places_of(session: Session, project: ProjectRecord) -> list[tuple[str, str]]:
    """Return where a project's files were found, and where it says that they are."""
    found = history_places.of_project(session, project.id)
    if project.root_path and (project.root_path, "") not in found:
        found.append((project.root_path, ""))
    return found


def repository_at(root: str, place: str, roots: tuple[Path, ...] | None) -> Repository | None:
    """Return the repository that holds a place beneath a root, None where there is none to be read."""
    history = _opened(str(Path(root, place)), roots)
    if isinstance(history, NoHistory) or history.top_level is None:
        return None
    top, start = history.top_level.resolve(), Path(root).resolve()
    if start.is_relative_to(top):
        return Repository(history, root, place, _folder(start.relative_to(top)), "")
    if top.is_relative_to(start):
        return Repository(history, root, place, "", _folder(top.relative_to(start)))
    return None


class _Opened(NamedTuple):
    history: History
    at: float


_kept: dict[tuple[str, tuple[Path, ...] | None], _Opened] = {}


def _opened(path: str, roots: tuple[Path, ...] | None) -> History:
    """Open a history, or return the one that was opened a moment ago: to vet it means to list all of it."""
    key, now = (path, roots), time.monotonic()
    known = _kept.get(key)
    if known is None or now - known.at > KEPT_SECONDS:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        known = _Opened(open_history(path, roots), now)
        if not isinstance(known.history, NoHistory):
            _kept[key] = known
    return known.history


def _folder(path: Path) -> str:
    return "" if path == Path() else f"{path.as_posix()}/"
