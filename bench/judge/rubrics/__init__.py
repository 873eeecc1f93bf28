"""The rubrics that are shipped, one TOML file each."""
