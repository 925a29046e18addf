"""What gunicorn itself has to say, written as all else is: in our form, in our place, without secrets."""

from __future__ import annotations

from typing import Any

from gunicorn import glogging

from hefesto_api import settings as all_settings
from hefesto_api.adapters import logs


class Logger(glogging.Logger):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn's logger, whose lines go to our log; its access log is ours already."""

    def setup(self, cfg: Any) -> None:
        """Hand everything on, in whichever process; raises UsageError when the log cannot be written."""
        super().setup(cfg)
        logs.configure(all_settings.from_process())
        self.error_log.handlers.clear()
        self.error_log.propagate = True
