"""The usual mistakes of an installation: a function for each, which says what, why and the cure."""
