"""Toy problems of the paper in one and two dimensions: trajectories that cross, nested rings, and films of both."""
