"""What `gunicorn wsgi:app` reads in this folder: the same server as that of `hefesto serve`."""

from typing import Any

from hefesto_api.settings import from_process
from hefesto_api.storage.database import open_database
from hefesto_api.web import gate, server
from hefesto_api.web.server import *  # noqa: F403

_settings = from_process()
workers = _settings.workers
threads = _settings.threads


def on_starting(master: Any) -> None:
    """Say, once for all workers, what is to be known about who may call."""
    server.on_starting(master)
    db = open_database(_settings.database_url)
    for notice in gate.notices(_settings, db):
        master.log.warning(notice)
    db.close()
