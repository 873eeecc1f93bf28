"""Fetches a checkpoint from the hub: what is needed of it, with progress, where there is space for it."""

from __future__ import annotations

from pathlib import Path

from m3dbench.progress import Progress


def fetch(hub_id: str, revision: str, progress: Progress | None = None) -> Path:
    raise NotImplementedError
