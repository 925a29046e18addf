"""Files that pages load, from installed packages, kept compressed: nothing comes from outside."""

from __future__ import annotations

import gzip
from functools import lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from flask import Response, request
from msgspec import Struct

from hefesto_api.domain.errors import NotFound

# Scripts and styles from here alone; both documentation viewers write style attributes as they draw.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
VIEWER_POLICY = (
    PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"
)
_SWAGGER = ("flask_swagger_ui", "dist")
_REDOC = ("flask_openapi_redoc", "templates/redoc")
_OURS = ("hefesto_api", "web/pages")
# The name under /docs/assets/ -> where it is, and what it is.
FILES = {
    "swagger-ui.css": (*_SWAGGER, "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (*_SWAGGER, "swagger-ui-bundle.js", "text/javascript"),
    "favicon-32x32.png": (*_SWAGGER, "favicon-32x32.png", "image/png"),
    "redoc.standalone.js": (*_REDOC, "js/redoc.standalone.js", "text/javascript"),
    "swagger-start.js": (*_OURS, "swagger-start.js", "text/javascript"),
    "redoc-start.js": (*_OURS, "redoc-start.js", "text/javascript"),
    "dashboard.js": (*_OURS, "dashboard.js", "text/javascript"),
    "page.css": (*_OURS, "page.css", "text/css"),
}


class Asset(Struct, frozen=True):
    """One file in memory, plain and as gzip."""

    content: bytes
    packed: bytes
    kind: str
    tag: str


def page(name: str, policy: str) -> Response:
    """Answer one of our pages with its content security policy."""
    content = _folder("hefesto_api", "web/pages").joinpath(name).read_bytes()
    headers = {"Content-Security-Policy": policy, "Content-Type": "text/html; charset=utf-8"}
    return Response(content, headers=headers)


def answer(name: str) -> Response:
    """Answer a file by its name in the table; raises NotFound."""
    asset = load(name)
    headers = {"Content-Type": asset.kind, "Cache-Control": "private, max-age=3600", "ETag": f'"{asset.tag}"'}
    if request.headers.get("If-None-Match") == f'"{asset.tag}"':
        return Response(status=304, headers=headers)
    if request.accept_encodings["gzip"] > 0:
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, headers=headers)


@lru_cache(maxsize=len(FILES))
def load(name: str) -> Asset:
    """Read a file of the table, once."""
    if name not in FILES:
        raise NotFound("asset", name)
    package, folder, path, kind = FILES[name]
    content = _folder(package, folder).joinpath(path).read_bytes()
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return Asset(
        content, gzip.compress(content, 6, mtime=0), kind, blake2b(content, digest_size=12).hexdigest()
    )


def _folder(package: str, folder: str) -> Path:
    """Return a folder of an installed package without importing the package (one of them is slow)."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise NotFound("package", package)
    return Path(places[0], folder)
