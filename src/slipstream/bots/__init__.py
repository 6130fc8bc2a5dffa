"""The duplex face, above the links: drivers, adapters and bots."""
