"""How far inversion in floats drifts from where the network came from."""
