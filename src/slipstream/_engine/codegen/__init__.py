"""Writes and loads Python source. Knows no HTTP."""
