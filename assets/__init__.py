"""Shaders, icons and other data files."""
