"""Convolutional equilibrium chains: what the layers are, how they tick, how their recurrence keeps its norm."""
