"""Outgoing webhooks: who wants to be told, and telling them."""
