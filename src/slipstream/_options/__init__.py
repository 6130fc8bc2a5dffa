"""Every option that several functions share, documented once.

A TypedDict says what an option means (one sentence per key), what type it has, and its default where that is not None;
`unpack.py` shows all of it in the signatures of the functions that take them.
"""
