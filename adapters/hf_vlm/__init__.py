"""``hf-vlm``: any image-text-to-text model of transformers, fed with slices."""
