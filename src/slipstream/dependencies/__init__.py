"""FastAPI's half-public view of dependencies, made from the engine's trees. Nothing here is used by the framework."""

from slipstream._on_demand import submodules

globals()["__getattr__"] = submodules(globals(), "models", "utils")
