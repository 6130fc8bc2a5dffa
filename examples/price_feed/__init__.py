"""Merged prices from two exchanges: one that is dialled, one that is polled."""
