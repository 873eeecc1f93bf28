"""What models that see in two dimensions share: how they are shown a volume, how they are asked, how they retrieve."""
