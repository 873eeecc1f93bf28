"""Published numbers with their provenance, one JSON file a source."""
