"""What webhooks are told, in the words of who listens: the standard's, a chat's, a pager's."""

from hefesto_api.formats.notifications.forms import render
from hefesto_api.formats.notifications.message import Message

__all__ = ["Message", "render"]
