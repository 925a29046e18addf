"""gunicorn's settings for this service: `gunicorn -c python:hefesto_api.web.server wsgi:app`.

What they do beyond the command line: the worker processes share one folder of counters, so that /metrics
tells of all of them whichever answers.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from hefesto_api.adapters import metrics_folder
from hefesto_api.web.open_files import open_files

FOLDER = metrics_folder.VARIABLE
_made: list[Path] = []

worker_class = "hefesto_api.web.server_worker.Worker"
logger_class = "hefesto_api.web.server_log.Logger"
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
control_socket_disable = True
# What proxies tell is read by `web.client`, from the proxies that the settings trust and nobody else.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"
timeout = 120
graceful_timeout = 30
keepalive = 5
loglevel = "warning"
# Connections that wait cost next to nothing: the more there may be, the later slow ones crowd others out.
# Each may need a second file for what is kept of it.
worker_connections = max(256, min(8192, (open_files() - 256) // 2))
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - the heartbeat must not wait for a disk


def on_starting(server: Any) -> None:
    """Make the folder before any worker starts; they inherit its name. TLS is refused: ours have none."""
    if server.cfg.is_ssl:
        raise SystemExit("TLS is ended by the proxy in front (see docs/deployment.md), not by this server.")
    if FOLDER not in os.environ:
        _made.append(metrics_folder.make())
        os.environ[FOLDER] = str(_made[0])
    metrics_folder.forget_the_dead(Path(os.environ[FOLDER]))


def post_worker_init(_worker: Any) -> None:
    """Leave what the application is made of out of the garbage collector's sight.

    Nothing of it is ever let go, and looking through it stopped every request for some 50 ms, many times a
    second while long answers were made (measured: p99 of /health beside them 43 to 134 ms, now 18 to 27).
    """
    gc.collect()
    gc.freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Write what a worker process has counted, and close what it holds."""
    # Imported late: the master has no use for all that it brings.
    application = getattr(worker, "wsgi", None)  # there is none if it could not be loaded
    runtime = getattr(application, "extensions", {}).get(import_module("hefesto_api.web.context").KEY)
    if runtime is not None:
        runtime.close()


def child_exit(_server: Any, worker: Any) -> None:
    """Let go of a worker's gauges when it ends; its counts stay."""
    if FOLDER in os.environ:
        metrics_folder.forget(worker.pid, Path(os.environ[FOLDER]))


def on_exit(_server: Any) -> None:
    """Remove the folder, if it is one that we made."""
    for folder in _made:
        metrics_folder.remove(folder)
