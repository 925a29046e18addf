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

from hefesto_api.adapters import heap, metrics_folder
from hefesto_api.web.open_files import open_files

FOLDER = metrics_folder.VARIABLE
_LATER = {
    "redis_url": ("redis",),
    "broker_url": ("celery.app.amqp", "celery.app.events", "celery.app.task", "kombu.pools"),
}
"""What the first requests would import (0.2 and 0.4 s of a processor), by the setting that has them do it."""
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
    """Make the folder, then the application; all workers inherit both. TLS is refused: ours have none.

    The application is made before the socket is opened: who connects to a host that starts is refused, and
    asks another, where he waited for the seconds of the imports. And a worker that takes the place of one
    that was killed answers at once. gunicorn's own `preload_app` comes before the folder, whose name
    prometheus_client reads when it is imported.
    """
    if server.cfg.is_ssl:
        raise SystemExit("TLS is ended by the proxy in front (see docs/deployment.md), not by this server.")
    heap.share()  # the workers inherit it
    if FOLDER not in os.environ:
        _made.append(metrics_folder.make())
        os.environ[FOLDER] = str(_made[0])
    metrics_folder.forget_the_dead(Path(os.environ[FOLDER]))
    if _is_made_once(server.cfg):
        _bring_forward(server.app.wsgi())
        _freeze()


def post_worker_init(_worker: Any) -> None:
    """Do so for what a worker has made itself."""
    _freeze()


def worker_exit(_server: Any, worker: Any) -> None:
    """Write what a worker process has counted, and close what it holds."""
    runtime = _runtime_of(getattr(worker, "wsgi", None))  # there is none if it could not be loaded
    if runtime is not None:
        runtime.close()


def child_exit(_server: Any, worker: Any) -> None:
    """Let go of a worker's gauges when it ends; its counts stay."""
    if FOLDER in os.environ:
        metrics_folder.forget(worker.pid, Path(os.environ[FOLDER]))


def _is_made_once(config: Any) -> bool:
    """Tell whether the application is the master's: not to be read anew, nor another account's."""
    return not config.reload and (config.uid, config.gid) == (os.geteuid(), os.getegid())


def _bring_forward(application: Any) -> None:
    """Import what waits for its first use: else those who come first wait for it, in every process."""
    runtime = _runtime_of(application)
    for setting, names in _LATER.items():
        if getattr(getattr(runtime, "settings", None), setting, ""):
            for name in names:
                import_module(name)


def _runtime_of(application: Any) -> Any:
    # Imported late: what reads these settings before it starts has no use for all that it brings.
    return getattr(application, "extensions", {}).get(import_module("hefesto_api.web.context").KEY)


def _freeze() -> None:
    """Leave what the application is made of out of the garbage collector's sight.

    Nothing of it is ever let go, and looking through it stopped every request for some 50 ms, many times a
    second while long answers were made (measured: p99 of /health beside them 43 to 134 ms, now 18 to 27).
    What the master made stays shared memory, too.
    """
    gc.collect()
    gc.freeze()


def on_exit(_server: Any) -> None:
    """Remove the folder, if it is one that we made."""
    for folder in _made:
        metrics_folder.remove(folder)
