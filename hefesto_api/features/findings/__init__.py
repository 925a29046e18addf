"""Findings on record: listing them, judging them, taking them elsewhere."""
