"""From alert to code: what stands at a place, what changed it, and what of it an alert tells of."""
