"""The wire forms of the live feed."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.web.schemas import Schema


class LiveQuery(Schema):
    """What is listened for, and since when.

    `token` is a ticket, an access token or an API key, from clients that can set no header; it is masked in
    the log. `last_event_id` is the `id` of the last message that was heard.
    """

    token = basic.String(validate=ma.validate.Length(max=4160))
    project = basic.String(validate=ma.validate.Length(max=255))
    last_event_id = basic.String(validate=ma.validate.Length(max=64))
