"""How the OpenAPI document is made from the plans of path operations; one noun per module.

`document.py` is where to start reading. Everything below it makes plain dictionaries; `shapes.py`
puts them into their final order and drops what is empty, once, at the end.
"""
