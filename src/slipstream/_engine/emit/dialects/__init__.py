"""The dialects, one module for each way to call a handler, and the layer that observes over any of them."""
