"""FastAPI's half-public view of dependencies, made from the engine's trees. Nothing here is used by the framework."""
