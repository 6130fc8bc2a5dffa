"""What the package uses of other libraries that is private there: one module per library, and nowhere else.

Each module looks at its names and their shapes when it is imported. Where a release has them otherwise, callers are
given what works without them. `tests/foreign` takes the names away, and looks for private names in the rest of `src`.
"""
