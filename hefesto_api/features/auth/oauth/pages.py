"""The pages that people see on their way to an application: no script, nothing loaded, all text escaped."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hefesto_api.formats.safe import for_terminal


def write(name: str, **values: Any) -> str:
    """Return a page."""
    return _environment().get_template(name).render(style=Markup(_style()), **values)  # noqa: S704 - our own file


def policy(*places: str) -> str:
    """Return the content security policy of a page whose forms lead here, and on to some places.

    Browsers hold the redirect that answers a form to it as well.
    """
    forms = " ".join(("'self'", *places))
    return (
        f"default-src 'none'; style-src '{_digest()}'; form-action {forms}; frame-ancestors 'none'; "
        "base-uri 'none'"
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("hefesto_api.features.auth.oauth"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: object) -> object:
    """Let no text of others reorder or hide what is around it; markup of ours is left alone."""
    return for_terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> str:
    environment = _environment()
    assert environment.loader is not None  # noqa: S101 - made so
    source, _, _ = environment.loader.get_source(environment, "page.css")
    return source


@cache
def _digest() -> str:
    """Return the hash by which the policy allows the one style sheet."""
    return f"sha256-{b64encode(sha256(_style().encode()).digest()).decode()}"
