"""Values to bytes and back: what generated source calls while a request is served."""
