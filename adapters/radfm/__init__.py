"""RadFM (arXiv 2308.02463), natively: 3D ViT, perceiver, LLaMA."""
