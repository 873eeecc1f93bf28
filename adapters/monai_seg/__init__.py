"""Any segmentation network of MONAI's, described by a TOML file or a bundle."""
