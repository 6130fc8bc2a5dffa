"""What `routing.py` is made of: what a route is: its options, its operation, its compiler, its place in routers."""
