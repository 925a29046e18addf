"""The wire forms of users, as admins keep them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.access import ROLES, TIERS
from hefesto_api.domain.passwords import LEAST, MOST
from hefesto_api.features.auth.key_schemas import projects_field
from hefesto_api.features.auth.people import FIELDS
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema


class UserSchema(Schema):
    """A user; without a password one logs in through another provider, or not at all."""

    id = basic.UUID(required=True)
    email = basic.String(required=True)
    name = basic.String(required=True)
    role = basic.String(required=True, validate=ma.validate.OneOf(tuple(ROLES)))
    projects = basic.List(basic.String(), required=True, allow_none=True)
    tier = basic.String(required=True, validate=ma.validate.OneOf(TIERS))
    is_active = basic.Boolean(required=True)
    has_password = basic.Boolean(required=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)
    last_login_at = basic.DateTime(required=True, allow_none=True)


class UserChangeSchema(Schema):
    """What of a user an admin may change; one who is disabled is out within a second."""

    email = fields.email()
    name = fields.text(200, least=1)
    role = fields.Choice(ROLES)
    projects = projects_field()
    tier = fields.Choice(TIERS)
    is_active = fields.Flag()
    password = fields.text(
        MOST, least=LEAST, load_only=True, metadata={"description": "Ends all that was logged in."}
    )


class NewUserSchema(UserChangeSchema):
    """A user to be."""

    class Meta(Schema.Meta):
        """A user begins active."""

        exclude = ("is_active",)

    email = fields.email(required=True)
    role = fields.Choice(ROLES, load_default="viewer")


class UsersQuery(PageQuery):
    """The parameters of the list, which is in the order of creation."""

    FIELDS = FIELDS

    role = fields.Choice(ROLES)
    is_active = fields.QueryFlag()


UserListSchema = list_schema("UserList", UserSchema, plural="users")
