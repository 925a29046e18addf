"""The audit log: who did what, and what was refused to whom."""
