"""Servers to compare ours with; each file runs in an environment that the benchmark makes."""
