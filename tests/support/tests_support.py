"""Helpers that several tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every reproducible file of a run folder by its relative path."""
    varying = {"sessions.jsonl", "timings.jsonl", "replies.jsonl", "usage.jsonl", "lock"}
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in varying)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
