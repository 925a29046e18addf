"""Analyses: asked for over HTTP or on the command line, carried out once, kept."""
