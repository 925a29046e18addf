"""What is installed is not older than the versions that fixed what matters to us."""

from importlib import metadata

import pytest
from hefesto_api.storage.sqlite import library
from packaging.version import Version

FLOORS = {
    "flask": "3.1.3",  # session and cookie handling
    "werkzeug": "3.1.9",  # form parsing, safe_join
    "gunicorn": "26.1",  # request smuggling by its parser
    "flask-smorest": "0.47",
    "marshmallow": "4.1.2",
    "flask-cors": "6.0.5",
    "sqlalchemy": "2.1",
    "jinja2": "3.1.6",  # sandbox escapes
    "flask-limiter": "4.1.1",
    "pyjwt": "2.15",  # tokens without a key or of another algorithm
    "authlib": "1.9",  # algorithm confusion, unbounded tokens
    "cryptography": "49",
    "urllib3": "2.7",  # headers and bombs along redirects
}


@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_package_is_recent_enough(package: str, floor: str) -> None:
    assert Version(metadata.version(package)) >= Version(floor)


def test_sqlite_has_the_fix_for_lost_wal_frames() -> None:
    module = library()
    if module.__name__.startswith("sqlite3"):
        pytest.skip("there is no wheel of a newer SQLite for this platform; the service warns at start")
    assert module.sqlite_version_info >= (3, 51, 3)
