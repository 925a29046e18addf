"""Hefesto API: knows where code is weak, and which line it was when production breaks."""
