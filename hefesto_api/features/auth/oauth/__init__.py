"""OAuth 2.0: programs get tokens for themselves or, when people consent, for these people."""
