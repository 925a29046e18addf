"""The routes of advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api.features.iris import advice, advice_schemas
from hefesto_api.features.iris.advice import Terms
from hefesto_api.features.iris.correlation_routes import desk
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.context import runtime
from hefesto_api.web.envelope import success, to_json
from hefesto_api.web.limits import per_address
from hefesto_api.web.scopes import principal, require

if TYPE_CHECKING:
    from uuid import UUID

blp = Blueprint("advice", url_prefix="/api/v1/iris", description="What a language model says of an alert.")


@blp.route("/correlations/<uuid:correlation_id>/advice", methods=["GET"])
@require("read:analysis")
@blp.response(200, advice_schemas.AdviceStandingSchema)
def read_advice(correlation_id: UUID) -> Any:
    """Show the latest advice on a correlation, and whether there may be any."""
    held, caller = runtime(), principal()
    return success(
        to_json(advice.standing(desk(), held.advisor, _terms(), str(correlation_id), caller.projects))
    )


@blp.route("/correlations/<uuid:correlation_id>/advice", methods=["POST"])
@require("write:analysis")
@per_address(20)
@blp.response(200, advice_schemas.AdviceSchema)
def ask_for_advice(correlation_id: UUID) -> Any:
    """Ask the language model that the operator set up what it makes of a correlation.

    The same again is answered as before, at no cost. 409 where there is none, or its budget is used up.
    """
    held, caller = runtime(), principal()
    given = advice.give(desk(), held.advisor, _terms(), str(correlation_id), caller.name, caller.projects)
    return success(to_json(given))


def _terms() -> Terms:
    wanted = runtime().settings
    return Terms(wanted.llm_monthly_budget_usd, wanted.llm_send_code)
