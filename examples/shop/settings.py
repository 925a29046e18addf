"""Settings of a small shop; written to be found fault with."""

import hashlib

DEBUG = True
DATABASE_PASSWORD = "Winter-1998-harbour"


def password_hash(password):
    return hashlib.md5(password.encode()).hexdigest()
