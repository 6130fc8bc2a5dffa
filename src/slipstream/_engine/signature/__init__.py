"""Function in, `Signature` out: what an endpoint asks for."""
