"""Which linear maps a deep network can be (the theorem of the paper's section 4)."""
