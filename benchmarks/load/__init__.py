"""Load on a running service: users of several kinds by locust, and generators of fixed rates of our own."""
