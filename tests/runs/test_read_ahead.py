"""Volumes of the next batch are read while the model works on this one; nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from m3dbench import registry
from m3dbench.adapter import Adapter, Query
from m3dbench.data import files
from m3dbench.data.files import DataFiles
from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import FileRef
from m3dbench.errors import DataError
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder


class Looker(Adapter):
    name = "looker"
    version = "1.0"
    tasks = frozenset({"report_generation"})
    batch_size = 5

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return [Prediction(query.id, text=f"{query.volume().mean():.6f}") for query in queries]


def test_each_volume_of_a_large_batch_is_read_once_and_ahead(
    phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, bool]] = []
    original = files.load_volume

    def load(root: Path, ref: FileRef) -> files.Volume:
        read.append((ref.path, threading.current_thread() is not threading.main_thread()))
        return original(root, ref)

    monkeypatch.setattr(files, "load_volume", load)
    folder = RunFolder.create(tmp_path / "run")
    folder.begin()
    run_task(registry.create("tasks", "report_generation"), Looker(), open_data(phantom), folder, Settings())
    assert len(read) == len({path for path, _ in read}) > 5
    assert sum(not ahead for _, ahead in read) == 5, "only the first batch has to be waited for"


def test_an_error_waits_until_the_volume_is_asked_for(tmp_path: Path) -> None:
    good, other = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2), np.ones((1, 2, 2, 2), dtype=np.float32)
    np.save(tmp_path / "good.npy", good)
    np.save(tmp_path / "constant.npy", other)
    data = DataFiles(tmp_path)
    data.read_ahead([FileRef("good.npy"), FileRef("constant.npy"), FileRef("missing.npy"), None])
    np.testing.assert_array_equal(data.volume(FileRef("good.npy")), good)
    for name in ("constant.npy", "missing.npy"):
        with pytest.raises(DataError, match=name):
            data.volume(FileRef(name))
    np.save(tmp_path / "missing.npy", good)
    np.testing.assert_array_equal(data.volume(FileRef("missing.npy")), good)
