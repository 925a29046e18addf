"""The fault that the scan must find: a route that says it asks for a scope, and does not."""

from __future__ import annotations

from inspect import unwrap
from typing import TYPE_CHECKING

from hefesto_api.app import create_app

if TYPE_CHECKING:
    from flask import Flask

ENDPOINT = "config.read_config"


def app() -> Flask:
    """Make the service with its fault."""
    made = create_app()
    (name,) = (one for one, view in made.view_functions.items() if view.__name__ == ENDPOINT.split(".")[1])
    made.view_functions[name] = unwrap(made.view_functions[name])
    return made
