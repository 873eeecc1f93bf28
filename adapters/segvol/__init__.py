"""SegVol: segmentation by a text prompt."""
