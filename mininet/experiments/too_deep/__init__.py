"""How deep a network can be, and how large a batch, in so much memory."""
