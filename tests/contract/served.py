"""The application that `test_sockets` serves."""

from hefesto_api import settings
from hefesto_api.app import create_app
from tests.web import sample

app = create_app(settings.from_process(), features=(sample,))
