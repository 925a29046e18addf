"""Where answers of an authorization may be sent (RFC 6749, section 3.1.2; RFC 8252, section 7.3)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

LONGEST = 2000
_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+", re.ASCII)
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def is_redirect_uri(text: str) -> bool:
    """Tell whether an address may be sent to: https, or http to this machine; no fragment, no user in it."""
    if len(text) > LONGEST or not _URI.fullmatch(text) or _BROKEN_PERCENT.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for what is none
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def source_of(uri: str) -> str:
    """Return what a content security policy calls the place of a redirect URI.

    It has no words for IPv6 addresses; where one is meant (this machine's, then) the scheme must do.
    """
    parts = urlsplit(uri)
    return f"{parts.scheme}:" if "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
