"""mininet against PyTorch, the authors' package and the machine's own limits; see `__main__.py`."""
