"""Requests to addresses that users name: to the public internet, and nowhere else."""

from hefesto_api.adapters.delivery.addresses import Refused, Target, read_url
from hefesto_api.adapters.delivery.sending import Outcome, Sender

__all__ = ["Outcome", "Refused", "Sender", "Target", "read_url"]
