"""From a SARIF artifact location to a path within the project: what cannot be one is refused."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from hefesto_api.formats.sarif.model import Artifact, ArtifactLocation

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_DRIVE = re.compile(r"/?[A-Za-z]:(?=/|$)")
_CHAIN = 8  # base ids that may refer to each other


class RefusedPathError(ValueError):
    """A location that names no file within the project; the message says why."""


def path_of(
    location: ArtifactLocation | None,
    artifacts: Sequence[Artifact],
    bases: Mapping[str, ArtifactLocation],
    roots: Sequence[str] = (),
) -> str:
    """Return a location's path, relative and with `/`.

    Base ids that are relative go before it; absolute ones, and `roots`, are what it is relative to. An
    absolute path beneath none of them keeps its own parts. Raises RefusedPathError for a location that is
    no file, that leads upwards out of its root, or that holds a NUL.
    """
    location = _named(location, artifacts)
    prefix = _prefix(location.uri_base_id, bases)
    path = _relative(_decoded(location.uri or ""), [*roots, *_absolute(bases)])
    return _normal(prefix + path)


def _named(location: ArtifactLocation | None, artifacts: Sequence[Artifact]) -> ArtifactLocation:
    if location and not location.uri and 0 <= location.index < len(artifacts):
        location = artifacts[location.index].location
    if not location or not location.uri:
        raise RefusedPathError("names no file")
    return location


def _decoded(uri: str) -> str:
    """Return the path of a URI or, as many tools write, of a plain path of either kind."""
    if _DRIVE.match(uri.replace("\\", "/")):
        return uri.replace("\\", "/")
    scheme = _SCHEME.match(uri)
    if scheme and scheme[1].lower() != "file":
        raise RefusedPathError(f"is no file but {scheme[1].lower()}:")
    path = uri[scheme.end() :] if scheme else uri
    if scheme and path.startswith("//"):  # an authority: file://host/path
        path = "/" + path[2:].partition("/")[2]
    path = unquote(path.partition("#")[0].partition("?")[0], errors="surrogateescape")
    return path.replace("\\", "/")


def _prefix(base_id: str | None, bases: Mapping[str, ArtifactLocation]) -> str:
    """Return the relative part of a chain of base ids."""
    prefix = ""
    for _ in range(_CHAIN):
        base = bases.get(base_id or "")
        if base is None:
            return prefix
        path = _decoded(base.uri or "")
        if _is_absolute(path):
            return prefix
        prefix = f"{path.rstrip('/')}/{prefix}" if path else prefix
        base_id = base.uri_base_id
    raise RefusedPathError("has base ids that refer to each other")


def _absolute(bases: Mapping[str, ArtifactLocation]) -> list[str]:
    paths = [_decoded(base.uri) for base in bases.values() if base.uri]
    return [path for path in paths if _is_absolute(path)]


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or _DRIVE.match(path) is not None


def _relative(path: str, roots: Sequence[str]) -> str:
    """Cut the longest root that an absolute path lies beneath, else what makes it absolute."""
    if not _is_absolute(path):
        return path
    for root in sorted((root.rstrip("/") for root in roots), key=len, reverse=True):
        if root and path.startswith(f"{root}/"):
            return path[len(root) + 1 :]
    return _DRIVE.sub("", path).lstrip("/")


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise RefusedPathError("leads out of its root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if not parts:
        raise RefusedPathError("names no file")
    if "\0" in path:
        raise RefusedPathError("holds a NUL")
    return "/".join(parts)
