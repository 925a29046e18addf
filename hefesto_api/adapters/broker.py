"""The dispatch of jobs by Celery: a message carries a job's id and nothing else, for its row is the truth.

Celery (an extra) is imported when something is sent or taken for the first time. A message that is lost costs
a second (workers look for themselves), one that comes twice finds its row taken.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import logs
from hefesto_api.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUEUE = "hefesto"
TASK = "hefesto.job"
SCHEMES = ("redis", "rediss", "amqp", "amqps", "pyamqp", "sentinel", "redis+socket")
TIMEOUT = 1.0  # seconds that a connection to the broker may take, and a write
AGAIN_SECONDS = 1.0
MOST_WAITING = 10_000  # ids that wait to be sent; of more, the workers find the rows
UNACKED_SECONDS = (
    3600  # after which Redis gives a message again that nobody acknowledged: its row knows better
)


def refuse_unusable(url: str) -> None:
    """Raise UsageError for an address that no broker of ours has, and where Celery is not installed."""
    if url.partition("://")[0] not in SCHEMES:
        raise UsageError(f"BROKER_URL is not a broker's address; use {'://, '.join(SCHEMES[:3])}://")
    if find_spec("celery") is None:
        raise UsageError("BROKER_URL needs Celery: pip install 'hefesto-api[celery]'")


class Publisher:
    """Sends the ids of jobs in a thread of its own: who queues one neither waits for a broker nor fails."""

    def __init__(self, url: str, name: str = QUEUE) -> None:
        self._url = url
        self._name = name
        self._lock = threading.Lock()
        self._pid = 0
        self._ended = False
        self._ids: deque[str] = deque(maxlen=MOST_WAITING)
        self._come = threading.Event()

    def send(self, job_ids: Iterable[str]) -> None:
        """Have the ids sent, soon; called when their rows are committed."""
        if self._pid != os.getpid():
            self._start()
        self._ids.extend(job_ids)
        self._come.set()

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._come.set()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._ids, self._come = deque(maxlen=MOST_WAITING), threading.Event()
            self._pid = os.getpid()
            threading.Thread(target=self._run, name="publisher", daemon=True).start()

    def _run(self) -> None:
        _load()
        app = celery_app(self._url, self._name)
        is_lost = False
        while not self._ended:
            self._come.wait()
            self._come.clear()
            try:
                self._send_waiting(app)
            except Exception as error:  # the workers look for themselves meanwhile
                if not is_lost:
                    logs.of("broker").warning("broker_unreachable", reason=type(error).__name__)
                is_lost = True
                self._ids.clear()
                time.sleep(AGAIN_SECONDS)
            else:
                is_lost = False

    def _send_waiting(self, app: Any) -> None:
        while self._ids:
            job_id = self._ids.popleft()
            app.send_task(TASK, [job_id], queue=self._name, retry=False, ignore_result=True)


class Consumer:
    """Takes ids from the broker, as a Celery worker of `slots` threads; `take` is called with each.

    A message is acknowledged when `take` has returned.
    """

    def __init__(self, url: str, slots: int, take: Callable[[str], None], name: str = QUEUE) -> None:
        logging.getLogger("celery").setLevel(logging.CRITICAL)  # what matters of it is told here
        logging.getLogger("kombu").setLevel(logging.CRITICAL)
        self._url = url
        self._name = name
        self._slots = slots
        self._take = take
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celery", daemon=True)

    def start(self) -> None:
        """Begin to take messages."""
        _load()
        from celery.worker import state  # noqa: PLC0415 - an extra

        state.should_stop = None  # it is the process's: another consumer of it may have been closed
        self._thread.start()

    def close(self) -> None:
        """Take no more; what `take` has at hand goes on until it returns."""
        from celery.worker import state  # noqa: PLC0415 - an extra

        self._ended.set()
        state.should_stop = 0
        self._thread.join(3 * TIMEOUT)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._work()
            except Exception as error:
                logs.of("broker").warning("broker_unreachable", reason=type(error).__name__)
            self._ended.wait(AGAIN_SECONDS)

    def _work(self) -> None:
        app = celery_app(self._url, self._name)

        @app.task(name=TASK, shared=False, acks_late=True, ignore_result=True)  # type: ignore[untyped-decorator]
        def job(job_id: str) -> None:
            self._take(job_id)

        app.finalize()
        app.set_default()  # by which the threads of its pool find it
        controller = app.WorkController(
            pool="threads", concurrency=self._slots, loglevel="CRITICAL", without_mingle=True,
            without_gossip=True, without_heartbeat=True, queues=[self._name],
        )  # fmt: skip
        controller.start()


_loading = threading.Lock()


def _load() -> None:
    """Import Celery, one thread at a time.

    Its modules import each other in circles: of two threads that came in from different ends, one was told of
    a deadlock, and the worker had ended before it began.
    """
    with _loading:
        for module in ("celery.app.amqp", "celery.worker.state", "kombu.transport.virtual", "kombu.pools"):
            import_module(module)


def forget(url: str, name: str = QUEUE) -> None:
    """Delete a queue with what waits in it."""
    with celery_app(url, name).connection_for_write() as connection:
        connection.default_channel.queue_delete(name)


def celery_app(url: str, name: str) -> Any:
    """Make a Celery application that talks to one broker, whatever the environment says to other programs."""
    from celery import Celery  # noqa: PLC0415 - an extra, wanted only where its address is set

    class Dispatch(Celery):  # type: ignore[misc] # Celery is untyped
        def connection_for_read(self, _url: str | None = None, **options: Any) -> Any:
            return super().connection_for_read(url, **options)

        connection_for_write = connection_for_read

    app = Dispatch(
        "hefesto", broker=url, set_as_current=False, fixups=[], loader="celery.loaders.app:AppLoader"
    )
    options: dict[str, Any] = {}
    if not url.partition("://")[0].endswith(("amqp", "amqps")):
        options = {
            "visibility_timeout": UNACKED_SECONDS,
            "socket_connect_timeout": TIMEOUT,
            "socket_timeout": 10 * TIMEOUT,  # longer than it waits for a message
            "socket_keepalive": True,
        }
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=TIMEOUT,
        broker_heartbeat=10,
        broker_pool_limit=1,
        broker_transport_options=options,
        result_backend=None,
        task_acks_late=True,
        task_default_delivery_mode="transient",  # what a broker forgets the workers find
        task_default_queue=name,
        task_ignore_result=True,
        task_serializer="json",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
    )
    return app
