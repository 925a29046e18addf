"""Measurements of whole processes and of a running server; see README.md for how to run them."""
