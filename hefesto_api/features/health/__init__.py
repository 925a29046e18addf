"""Whether the service is well, and what it is made of."""
