"""Learning by equilibrium propagation: fixed points of batches, local gradients, optimisers, training, checks.

Arrays are feature-major: z, s (L, N, B), inflow and top (N, B); pictures x (B, pixels), logits (B, classes).
"""
