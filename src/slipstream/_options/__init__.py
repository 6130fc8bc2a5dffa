"""Every option that several functions share, documented once.

A TypedDict says what an option means (one sentence per key) and what type it has; a frozen dataclass
beside it holds the defaults; `unpack.py` shows both in the signatures of the functions that take them.
"""
