"""What evolves: networks, phases, metrics, experiments and the engine thread. Knows nothing of windows."""
