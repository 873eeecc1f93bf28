"""Getting M3D-Data from the Hugging Face hub: licence, space, resumption, checksums, archives."""
