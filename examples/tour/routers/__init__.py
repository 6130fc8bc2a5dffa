"""One module a subject; `main` puts them together."""
