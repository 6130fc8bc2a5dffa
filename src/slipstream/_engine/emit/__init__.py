"""From a program to a source: one function for each kind of step, in the phrases of a dialect. Decides nothing."""
