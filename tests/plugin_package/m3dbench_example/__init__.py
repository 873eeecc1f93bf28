"""The worked examples of m3dbench's CONTRIBUTING."""
