"""The wire forms of projects."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.features.projects.service import FIELDS
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_LONGEST_PATH = 4096
_AN_ADDRESS = ma.validate.Regexp(
    r"^(?:(?:https?|ssh|git)://(?![^/@\s]*:[^/@\s]*@)[^\s/]\S*|[\w.-]+@[\w.-]+:\S+)$(?!\n)",
    error="Not the address of a repository (which must not hold a password).",
)


class PathMappingSchema(Schema):
    """How a stack frame's prefix maps to the project's: what begins with `from` begins with `to` here."""

    class Meta(Schema.Meta):
        """`from` is a word of the language, so the members are given by name."""

        include = {  # noqa: RUF012 - the library's way
            "from": fields.text(_LONGEST_PATH, required=True, least=1),
            "to": fields.text(_LONGEST_PATH, required=True),
        }


class ProjectSchema(Schema):
    """A project."""

    slug = basic.String(required=True)
    name = basic.String(required=True)
    root_path = basic.String(required=True, allow_none=True)
    repository_url = basic.String(required=True, allow_none=True)
    default_branch = basic.String(required=True, allow_none=True)
    service_names = basic.List(basic.String(), required=True)
    path_mappings = basic.List(basic.Nested(PathMappingSchema), required=True)
    revenue_per_user_usd = basic.Float(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


class ProjectChangeSchema(Schema):
    """What of a project may be changed; null takes a value away."""

    name = fields.text(200, least=1)
    root_path = fields.text(_LONGEST_PATH, least=1, allow_none=True)
    repository_url = basic.String(
        validate=[ma.validate.Length(1, 2000), _AN_ADDRESS],
        allow_none=True,
        metadata={"description": "https://, ssh://, git:// or user@host:path."},
    )
    default_branch = fields.text(255, least=1, allow_none=True)
    service_names = basic.List(
        fields.text(200, least=1), validate=ma.validate.Length(max=1000), metadata={"uniqueItems": True}
    )
    path_mappings = basic.List(basic.Nested(PathMappingSchema), validate=ma.validate.Length(max=1000))
    revenue_per_user_usd = fields.Number(validate=ma.validate.Range(0), allow_none=True)

    @ma.validates_schema
    def check_nulls(self, data: dict[str, Any], **_: Any) -> None:
        """Lists are emptied by an empty list; one service belongs to one place of the list."""
        names = data.get("service_names", [])
        if len(set(names)) != len(names):
            raise ma.ValidationError("A service is named twice.", "service_names")


class NewProjectSchema(ProjectChangeSchema):
    """A project to be."""

    slug = fields.slug(required=True)


class ProjectsQuery(PageQuery):
    """The parameters of the list, which is in the order of the slugs."""

    SORTS = ("slug",)
    FIELDS = FIELDS


ProjectListSchema = list_schema("ProjectList", ProjectSchema, plural="projects")
