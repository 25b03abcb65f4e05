"""One file per claim: a function that a notebook can call and the command line runs."""
