"""``m3dbench view``: what a model was asked and answered, sample by sample, with the volume; served or as files."""
