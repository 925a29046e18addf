"""What the service is set to, without its secrets."""
