"""How good the code is, and where it is heading."""
