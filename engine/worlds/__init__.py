"""Worlds: what a network that never stops learning looks at, answers and acts on, tick by tick."""
