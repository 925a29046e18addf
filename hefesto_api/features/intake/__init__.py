"""Intake: what monitoring tools send is kept, acknowledged, and read by the queue."""
