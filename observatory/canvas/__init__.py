"""Everything that draws with OpenGL; the only folder that imports vispy."""
