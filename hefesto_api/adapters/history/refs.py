"""Branches, tags and HEAD, read from a repository's own files, without its configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from hefesto_api.adapters.history.repository import Place, read_small

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKED_BYTES = 64 * 1024 * 1024
_CONFIG_BYTES = 1024 * 1024
_REF_BYTES = 4096
_SYMBOLIC_DEPTH = 5
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# git-check-ref-format(1): no controls, none of these characters, no empty, hidden or locked component.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\ud800-\udfff~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$|^/|^\.|^-")
_SECTION = re.compile(r'\[\s*remote\s+"((?:[^"\\]|\\.)*)"\s*\]', re.IGNORECASE)
_URL = re.compile(r"url\s*=\s*(.*)", re.IGNORECASE)
_SCP_LIKE = re.compile(r"(?:[\w.+-]+@)?[\w.-]{2,}:(?!//)[^\s:]+")


def is_name(name: str) -> bool:
    """Tell whether a text can be the name of a branch, a tag or a full reference."""
    return bool(name) and len(name) <= 250 and name != "@" and not _FORBIDDEN.search(name)


def head(place: Place) -> tuple[str | None, str | None]:
    """Return HEAD's commit and the branch it is on; each None when there is none."""
    content = _text(read_small(place.git_dir, "HEAD", _REF_BYTES))
    if content.startswith("ref: "):
        target = content.removeprefix("ref: ")
        return lookup(place, target), target.removeprefix("refs/heads/") if is_name(target) else None
    return (content if _HASH.fullmatch(content) else None), None


def lookup(place: Place, name: str, depth: int = _SYMBOLIC_DEPTH) -> str | None:
    """Return the object a full reference (`refs/heads/main`) points to, through symbolic ones."""
    if not depth or not is_name(name):
        return None
    for folder in (place.git_dir, place.common_dir):
        content = _text(read_small(folder, name, _REF_BYTES))
        if content.startswith("ref: "):
            return lookup(place, content.removeprefix("ref: "), depth - 1)
        if _HASH.fullmatch(content):
            return content
    return _packed(place, name)


def named(place: Place, name: str) -> str | None:
    """Return the object a short name stands for, in the order of gitrevisions(7)."""
    if name in ("HEAD", "@"):
        return head(place)[0]
    for pattern in (
        "{}",
        "refs/{}",
        "refs/tags/{}",
        "refs/heads/{}",
        "refs/remotes/{}",
        "refs/remotes/{}/HEAD",
    ):
        full = pattern.format(name)
        if (full.startswith("refs/") or name.endswith("_HEAD")) and (found := lookup(place, full)):
            return found
    return None


def is_sha256(place: Place) -> bool:
    """Tell whether the repository names its objects by SHA-256."""
    config = _text(read_small(place.common_dir, "config", _CONFIG_BYTES))
    return re.search(r"^\s*objectformat\s*=\s*sha256", config, re.IGNORECASE | re.MULTILINE) is not None


def remote_url(place: Place) -> str | None:
    """Return where the repository comes from (`origin`, else its first remote), without credentials.

    None for a remote on this machine: its path is nobody's business.
    """
    urls = dict(reversed(list(_remotes(_text(read_small(place.common_dir, "config", _CONFIG_BYTES))))))
    url = urls.get("origin") or next(reversed(urls.values()), None)
    return _public(url) if url else None


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "surrogateescape").strip()


def _packed(place: Place, name: str) -> str | None:
    packed = read_small(place.common_dir, "packed-refs", _PACKED_BYTES) or b""
    wanted = re.escape(name.encode("utf-8", "surrogateescape"))
    found = re.search(rb"^([0-9a-f]{40,64}) " + wanted + rb"\r?$", packed, re.MULTILINE)
    return found.group(1).decode() if found else None


def _remotes(config: str) -> Iterator[tuple[str, str]]:
    remote: str | None = None
    for line in map(str.strip, config.splitlines()):
        if line.startswith("["):
            section = _SECTION.match(line)
            remote = section.group(1) if section else None
        elif remote is not None and (url := _URL.fullmatch(line)):
            yield remote, url.group(1).strip().strip('"')


def _public(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme in ("http", "https", "ssh", "git", "git+ssh") and host:
        user = f"{parts.username}@" if parts.username and parts.scheme.endswith("ssh") else ""
        return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, "", ""))
    return url if _SCP_LIKE.fullmatch(url) else None
