"""Answers questions about Pydantic's core schemas, one question a module. Knows no HTTP."""
