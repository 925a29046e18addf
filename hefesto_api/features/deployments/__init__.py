"""Deployments: which code runs where, what came with it, and how it went."""
