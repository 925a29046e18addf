"""The worker of the queue: the table of job kinds, who does them, and how their jobs reach it."""

from hefesto_api.worker.hosts import host_name
from hefesto_api.worker.kinds import KINDS, SCHEDULES, engine_of
from hefesto_api.worker.process import main, make
from hefesto_api.worker.working import Worker

__all__ = ["KINDS", "SCHEDULES", "Worker", "engine_of", "host_name", "main", "make"]
