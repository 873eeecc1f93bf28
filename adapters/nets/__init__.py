"""Network parts that several models share: the 3D vision transformer and SegVol's mask decoder."""
