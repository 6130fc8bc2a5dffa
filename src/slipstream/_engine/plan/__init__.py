"""From signatures and options to a plan, and from a plan to a program: all decisions about a handler."""
