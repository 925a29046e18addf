"""What `gunicorn wsgi:app` reads in this folder: the same server as that of `hefesto serve`."""

from hefesto_api.settings import from_process
from hefesto_api.web.server import *  # noqa: F403

_settings = from_process()
workers = _settings.workers
threads = _settings.threads
