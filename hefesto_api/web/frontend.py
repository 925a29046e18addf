"""The dashboard as its build left it: one page for all its addresses, and files that never change."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from msgspec import Struct

from hefesto_api.domain.errors import NotFound
from hefesto_api.web import assets
from hefesto_api.web.arguments import any_query
from hefesto_api.web.limits import per_address, unlimited
from hefesto_api.web.scopes import public

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILT = Path(__file__).parent / "pages" / "app"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# What the build packs, the smallest first.
PACKED = {"br": ".br", "gzip": ".gz"}
# The name of a file changes with what is in it.
_FOR_EVER = "public, max-age=31536000, immutable"

blp = Blueprint("frontend", __name__)


class Build(Struct, frozen=True):
    """A build in memory: the page with its tag, and each file by name and coding."""

    page: bytes
    tag: str
    files: Mapping[str, Mapping[str, bytes]]


@blp.get("/dashboard")
@public
@per_address(1000)
@any_query
def page() -> Response:
    """Show what fires now; without the build, what there is to see without it."""
    build = built()
    return assets.page("dashboard.html", assets.PAGE_POLICY) if build is None else _shown(build)


@blp.get("/dashboard/<path:place>")
@public
@per_address(1000)
@any_query
def place(place: str) -> Response:
    """Show the page, which reads from the address what it shows; raises NotFound without the build."""
    build = built()
    if build is None:
        raise NotFound("page", place)
    return _shown(build)


@blp.get("/dashboard/assets/<name>")
@public
@unlimited
def asset(name: str) -> Response:
    """Answer a file of the build in the smallest form that the client takes; raises NotFound."""
    build = built()
    forms = build.files.get(name) if build else None
    if forms is None:
        raise NotFound("asset", name)
    headers = {"Content-Type": f"{KINDS[Path(name).suffix]}; charset=utf-8", "Cache-Control": _FOR_EVER}
    for coding in PACKED:
        if coding in forms and request.accept_encodings[coding] > 0:
            return Response(forms[coding], headers={**headers, "Content-Encoding": coding})
    return Response(forms["identity"], headers=headers)


def _shown(build: Build) -> Response:
    headers = {
        "Content-Security-Policy": assets.PAGE_POLICY,
        "Content-Type": "text/html; charset=utf-8",
        "ETag": f'"{build.tag}"',
    }
    is_known = request.headers.get("If-None-Match") == headers["ETag"]
    return Response(status=304, headers=headers) if is_known else Response(build.page, headers=headers)


def built() -> Build | None:
    """Return the build that is there now."""
    try:
        return _load(BUILT, (BUILT / "index.html").stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=1)
def _load(folder: Path, _changed: int) -> Build:
    content = (folder / "index.html").read_bytes()
    named = [path for path in (folder / "assets").iterdir() if path.suffix in KINDS]
    files = {path.name: _forms(path) for path in named}
    return Build(content, blake2b(content, digest_size=12).hexdigest(), files)


def _forms(path: Path) -> dict[str, bytes]:
    packed = {coding: path.with_name(path.name + end) for coding, end in PACKED.items()}
    forms = {coding: other.read_bytes() for coding, other in packed.items() if other.is_file()}
    return {**forms, "identity": path.read_bytes()}
