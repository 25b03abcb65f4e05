"""Checks of the exercises, a file for each notebook: ``exercise_K(answer)`` raises `NotYet` with what differs."""
