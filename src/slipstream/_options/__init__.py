"""The options that several functions share, with a sentence, a type and a default each, as TypedDicts.

`unpack.py` shows them in the signatures of these functions.
"""
