"""What a person sees: windows, canvases, the recorder and the command line."""

__version__ = "0.1.0"
