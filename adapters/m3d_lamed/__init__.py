"""M3D-LaMed: a 3D medical multimodal language model."""
