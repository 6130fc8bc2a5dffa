"""`Signature` and options in, `Plan` out: what will be done for a request, decided once."""
