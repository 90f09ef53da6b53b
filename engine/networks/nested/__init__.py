"""Nested blocks: chains whose layers hold chains, to any depth."""
