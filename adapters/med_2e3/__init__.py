"""Med-2E3: a 3D medical multimodal language model that also reads a volume slice by slice."""
