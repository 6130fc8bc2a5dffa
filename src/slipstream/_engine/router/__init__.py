"""From (protocol, method, path) to a route: patterns, a radix tree, a table."""
