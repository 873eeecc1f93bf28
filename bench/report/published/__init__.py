"""Published numbers: reading them, and the M3D paper's tables with runs beside them."""
