"""The reference's requests, worded with its own sentences from a user's checkout of the M3D repository."""
