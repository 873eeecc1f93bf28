"""Training of the toy checkpoints ``m3d-lamed-tiny`` and ``m3d-clip-tiny`` on phantom cases drawn from seeds."""
