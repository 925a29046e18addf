"""Alerts: what is wrong in production now, and what people did about it."""
