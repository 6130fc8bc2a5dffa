"""What `routing.py` is made of: the engine's view of routes, inclusion, tables, changes."""
