"""M3D-CLIP: image-text retrieval."""
