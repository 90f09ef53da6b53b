"""The widgets around the canvas: one file per panel, each fed with frames and speaking through Qt signals."""
