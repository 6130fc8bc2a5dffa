"""Answers questions about Pydantic's core schemas. Knows no HTTP."""
