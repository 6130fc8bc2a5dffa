"""Writes, loads and dumps Python. Knows no HTTP."""
