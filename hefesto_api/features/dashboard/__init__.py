"""What is on fire, why, and how the service itself is."""
