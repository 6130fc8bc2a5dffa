"""`Program` in, `Source` out: one function per kind of step, worded for a dialect. Nothing is decided here."""
