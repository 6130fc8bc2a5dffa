"""How handlers are called, one module for each way, and the layer that tells an observer of any of them."""
