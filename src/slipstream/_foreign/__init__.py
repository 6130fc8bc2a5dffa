"""Private names of other libraries that the package uses: one module a library, and nowhere else.

Each module checks at import that its names exist and have the expected shape, and else gives callers a way without
them. `tests/foreign` removes the names, and looks for private names in the rest of `src`.
"""
