"""``clip``: any CLIP or SigLIP of transformers or open_clip on slices, as a baseline of retrieval."""
