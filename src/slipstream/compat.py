"""Let `import fastapi` give slipstream.

A program, or a package that it uses, may import `fastapi` itself. After `install()` each
`fastapi.x` is the very same module object as `slipstream.x`: classes are identical, so
`isinstance`, `except`, pickles and patched attributes agree whichever name was written.
Nothing is renamed on disk and nothing happens unless a program asks.
"""
