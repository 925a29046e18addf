"""The options of `hefesto analyze --push`, checked before any work is done."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import click

from hefesto_api.domain import slugs


def address(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """Refuse an address that nothing can be sent to."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or re.search(r"[\x00-\x20\x7f]", url):
        raise click.BadParameter("the address of a server is wanted, such as https://hefesto.example.org.")
    if parts.username or parts.password:
        raise click.BadParameter("put the key into HEFESTO_API_KEY, not into the address.")
    if parts.query or parts.fragment:
        raise click.BadParameter("the server's address alone is wanted.")
    return url


def slug(_context: click.Context, _parameter: click.Parameter, name: str | None) -> str | None:
    """Refuse what no project can be called."""
    if name is not None and not slugs.is_slug(name):
        raise click.BadParameter(slugs.RULE)
    return name
