"""Step Tween Chains: heterogeneous layers that run forward and backward at every tick and learn while they run."""
