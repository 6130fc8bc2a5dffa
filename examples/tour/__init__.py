"""A tour of Slipstream: one small, complete application, written as a user would write it."""
