"""The application with faults planted into it, each of which the fuzzing must find.

A fault is an operation with the check of schemathesis whose business it is. One more cannot be tested at all,
since what it refers to is missing: schemathesis must report an error for it, and the gate must not be green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hefesto_api import settings as all_settings
from hefesto_api.app import FEATURES, create_app
from hefesto_api.domain.errors import Invalid, NotFound
from hefesto_api.web import fields, openapi
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.envelope import Answer
from hefesto_api.web.schemas import Schema
from marshmallow import fields as basic

if TYPE_CHECKING:
    from flask import Flask

blp = Blueprint("planted", url_prefix="/api/v1/planted", description="Faults.")
PREFIX = "/api/v1/planted"
EXPECTED = {
    f"GET {PREFIX}/fails": "not_a_server_error",
    f"GET {PREFIX}/lies": "response_schema_conformance",
    f"GET {PREFIX}/undocumented": "status_code_conformance",
    f"GET {PREFIX}/other-type": "content_type_conformance",
    f"POST {PREFIX}/accepts-all": "negative_data_rejection",
    f"POST {PREFIX}/refuses-all": "positive_data_acceptance",
    f"POST {PREFIX}/more-methods": "unsupported_method",
    f"DELETE {PREFIX}/things/{{thing_id}}": "use_after_free",
    f"POST {PREFIX}/forgotten": "ensure_resource_availability",
}
UNTESTABLE = f"GET {PREFIX}/untestable"


class NumberQuery(Schema):
    """A number."""

    number = fields.QueryInteger(required=True)


class ThingSchema(Schema):
    """A thing."""

    thing_id = basic.Integer(required=True, dump_only=True)
    name = fields.text(20, required=True, least=1)


@blp.route("/fails", methods=["GET"])
@blp.arguments(NumberQuery, location="query")
@blp.response(200, ThingSchema)
def fails(query: dict[str, Any]) -> Any:
    """Fail for some numbers."""
    return {"thing_id": 1 // (query["number"] % 2), "name": "odd"}


@blp.route("/lies", methods=["GET"])
@blp.response(200, ThingSchema)
def lies() -> Any:
    """Answer something else than it says."""
    return Answer(b'{"success":true,"data":{"thing_id":"one"},"error":null,"timestamp":"now"}')


@blp.route("/undocumented", methods=["GET"])
@blp.response(200, ThingSchema)
def undocumented() -> Any:
    """Answer a status that it does not tell of."""
    return {"thing_id": 1, "name": "teapot"}, 207


@blp.route("/other-type", methods=["GET"])
@blp.response(200, ThingSchema)
def other_type() -> Any:
    """Answer another type than it says."""
    return Answer("thing_id,name", mimetype="text/csv")


@blp.route("/accepts-all", methods=["POST"])
@blp.response(200, ThingSchema)
def accepts_all() -> Any:
    """Take whatever comes."""
    return {"thing_id": 1, "name": "all"}


@blp.route("/refuses-all", methods=["POST"])
@blp.arguments(ThingSchema)
@blp.response(200, ThingSchema)
def refuses_all(_: dict[str, Any]) -> Any:
    """Refuse what its schema allows."""
    raise Invalid("name", "No.")


@blp.route("/more-methods", methods=["POST"])
@blp.response(200, ThingSchema)
def more_methods() -> Any:
    """Take a method that nobody told of."""
    return {"thing_id": 1, "name": "post"}


@blp.route("/things", methods=["POST"])
@blp.arguments(ThingSchema)
@blp.response(201, ThingSchema)
def make_thing(new: dict[str, Any]) -> Any:
    """Make a thing."""
    return {"thing_id": 1, **new}, 201, {"Location": f"{PREFIX}/things/1"}


@blp.route("/things/<int:thing_id>", methods=["GET"])
@blp.response(200, ThingSchema)
def read_thing(thing_id: int) -> Any:
    """Show a thing, deleted or not."""
    return {"thing_id": thing_id, "name": "x"}


@blp.route("/things/<int:thing_id>", methods=["DELETE"])
@blp.response(204)
def delete_thing(thing_id: int) -> None:
    """Say that a thing is gone, and keep it."""


@blp.route("/forgotten", methods=["POST"])
@blp.arguments(ThingSchema)
@blp.response(201, ThingSchema)
def make_forgotten(new: dict[str, Any]) -> Any:
    """Say that a thing was made, and forget it."""
    return {"thing_id": 7, **new}, 201, {"Location": f"{PREFIX}/forgotten/7"}


@blp.route("/forgotten/<int:thing_id>", methods=["GET"])
@blp.response(200, ThingSchema)
def read_forgotten(thing_id: int) -> Any:
    """Find nothing."""
    raise NotFound("thing", str(thing_id))


@blp.route("/untestable", methods=["GET"])
@blp.response(200, ThingSchema)
def untestable() -> Any:
    """Be documented by a schema that leads nowhere."""
    return {"thing_id": 1, "name": "lost"}


def app() -> Flask:
    """Make the application, with its document made untrue."""
    made = create_app(all_settings.from_process(), features=(*FEATURES, _Planted))
    made.add_url_rule(f"{PREFIX}/more-methods", "unheard_of", lambda: Answer(b"{}"), methods=["PATCH"])
    paths = openapi.document(made)["paths"]  # routes are described when it is first asked for, and once
    nowhere = {"$ref": "#/components/schemas/Nowhere"}
    paths[f"{PREFIX}/untestable"]["get"]["parameters"] = [
        {"name": "number", "in": "query", "required": True, "schema": nowhere}
    ]
    body = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    paths[f"{PREFIX}/accepts-all"]["post"]["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": body}},
    }
    return made


class _Planted:
    blp = blp
