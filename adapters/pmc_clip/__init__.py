"""``pmc-clip``: PMC-CLIP on slices, the 2D baseline of retrieval."""
