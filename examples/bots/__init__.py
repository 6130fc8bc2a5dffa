"""Bots: each runs with one command, against a platform that comes with it."""
