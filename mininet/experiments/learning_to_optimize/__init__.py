"""Networks whose layers are steps of ISTA, for sparse coding."""
