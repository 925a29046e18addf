"""For WSGI servers: `gunicorn wsgi:app`."""

from hefesto_api.app import create_app
from hefesto_api.settings import from_process
from hefesto_api.web.gate import refuse_unless_decided

settings = from_process()
refuse_unless_decided(settings)
app = create_app()
