"""The parts of `routing.py`: how a route is read and compiled, and how routers include and serve it."""
