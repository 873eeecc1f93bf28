"""Files of the viewer, no code."""
