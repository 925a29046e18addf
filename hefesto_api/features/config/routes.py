"""The route of the configuration."""

from __future__ import annotations

from typing import Any

from hefesto_api.analyzers import catalogue
from hefesto_api.domain.finding import Group
from hefesto_api.features.config import service
from hefesto_api.features.config.schemas import ConfigSchema
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.scopes import require

blp = Blueprint("config", url_prefix="/api/v1", description="What the service is set to.")


@blp.route("/config", methods=["GET"])
@require("read:config")
@blp.response(200, ConfigSchema)
def read_config() -> Any:
    """Tell the settings, without secrets."""
    return service.config(runtime().db, runtime().settings, _security_checks())


def _security_checks() -> list[str]:
    return sorted(rule.id for rule in catalogue.RULES.values() if rule.analyzer == Group.SECURITY)
