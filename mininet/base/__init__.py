"""What everything else builds on: argument checks, instruments, files that are whole or absent."""
