"""Who owns a file: what the CODEOWNERS file of the analysed tree says now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.analyzers import workspace
from hefesto_api.domain import owners
from hefesto_api.domain.errors import InvalidFilePath, NotFound
from hefesto_api.storage import finding_details, projects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from hefesto_api.domain.owners import Ownership
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.finding_details import DetailedFinding

LARGEST = 3 * 1024 * 1024  # as at GitHub
_PROBLEMS = {
    "not_a_regular_file": "is a link or no regular file",
    "not_readable": "cannot be read",
    "outside_roots": "is a link out of the tree",
    "too_large": f"is larger than {LARGEST} bytes",
}


class Analysed(NamedTuple):
    """Where a project's files lie: a root, and the folders beneath it that were analysed."""

    root: str
    folders: tuple[str, ...] = ()


def of_finding(session: Session, found: DetailedFinding, roots: Sequence[Path]) -> dict[str, Any]:
    """Return who owns the file of a finding, as it is told."""
    where = _analysed(_options(session, found.project_id, found.options), found.root_path)
    return _as_told(_look(where, roots, found.file_path))


def of_path(
    session: Session, slug: str, path: str, roots: Sequence[Path], allowed: Collection[str] | None
) -> dict[str, Any]:
    """Return who owns a path of a project; raises NotFound for a project that the caller does not see."""
    project = projects.get(session, slug)
    if allowed is not None and slug not in allowed:
        raise NotFound("project", slug)
    where = _analysed(_options(session, project.id, None), project.root_path)
    told = _as_told(_look(where, roots, path.strip("/")))
    return {"path": path, **told}


def _analysed(options: Iterator[dict[str, Any]], root_path: str | None) -> Analysed | None:
    """Return where a project's files lie: as an analysis of them says, else as the project does."""
    for one in options:
        if root := one.get("root"):
            places = one.get("places", ())
            return Analysed(root, tuple(place for place, is_dir in places if is_dir and place))
    return Analysed(root_path) if root_path else None


def _options(session: Session, project_id: str, latest: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the options of analyses; the project's own are read only where the latest does not tell."""
    if latest is not None:
        yield latest
    yield from finding_details.recent_options(session, project_id)


def _look(where: Analysed | None, roots: Sequence[Path], path: str) -> Ownership:
    if where is None:
        return owners.unknown(owners.PLACES, ["Nothing says where the project's files lie."])
    try:
        location = workspace.resolve(where.root, roots)
        with workspace.open_root(location) as tree:
            return _read(tree, _folders(where, path), path)
    except InvalidFilePath as error:
        return owners.unknown(owners.PLACES, [f"The analysed tree cannot be read ({error.reason})."])


def _folders(where: Analysed, path: str) -> Iterator[str]:
    """Yield the folders in which the file may lie: the root, then what was analysed and holds the path."""
    yield ""
    yield from (f"{folder}/" for folder in where.folders if path.startswith(f"{folder}/"))


def _read(tree: workspace.Tree, folders: Iterator[str], path: str) -> Ownership:
    beneath = f"{tree.location.relative}/" if tree.location.relative else ""
    looked, problems = [], []
    for folder in folders:
        for place in owners.PLACES:
            file = f"{folder}{place}"
            looked.append(file)
            try:
                content = tree.read(beneath + file, LARGEST)
            except InvalidFilePath as error:
                if error.reason in _PROBLEMS:
                    problems.append(f"{workspace.shown(file)} {_PROBLEMS[error.reason]}.")
                continue
            known = owners.parse(content.decode("utf-8", "replace"), place)
            return owners.owned(known, path.removeprefix(folder), workspace.shown(file))
    return owners.unknown(map(workspace.shown, looked), problems)


def _as_told(found: Ownership) -> dict[str, Any]:
    return {
        "owners": list(found.owners),
        "rule": found.rule,
        "line": found.line,
        "file": found.file,
        "explanation": found.explanation,
    }
