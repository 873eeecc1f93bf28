"""Converters: public data sets brought into the prepared M3D layouts."""
