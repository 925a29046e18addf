"""Who may call: API keys, users and their sessions."""
