"""Memory of a training step against depth (the paper's figures 2 and 7)."""
