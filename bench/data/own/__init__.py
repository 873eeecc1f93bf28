"""Own data: a table of volumes, reports, questions, masks and boxes made into an M3D-style directory."""
