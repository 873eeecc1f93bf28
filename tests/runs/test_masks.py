"""Mask shards: standard tar, exact, checksummed, healed after a kill."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from m3dbench.data.prediction import ArrayRecord
from m3dbench.errors import DataError
from m3dbench.runs.masks import MaskShards, read_mask
from m3dbench.runs.shards import PER_SHARD, stored

GRID = (5, 7, 3)


def masks(count: int) -> list[np.ndarray[tuple[int, int, int], np.dtype[np.bool_]]]:
    return [np.random.default_rng(seed).random(GRID) > 0.5 for seed in range(count)]


def filled(folder: Path, indices: list[int]) -> list[ArrayRecord]:
    shards = MaskShards(folder)
    records = [shards.add(index, mask) for index, mask in zip(indices, masks(len(indices)), strict=True)]
    shards.finish()
    return records


def test_masks_come_back_exactly(tmp_path: Path) -> None:
    records = filled(tmp_path / "masks", [0, 1, PER_SHARD, PER_SHARD + 3])
    for record, mask in zip(records, masks(4), strict=True):
        assert record.shape == GRID
        np.testing.assert_array_equal(read_mask(tmp_path / "masks", record), mask)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["00000.tar", "00001.tar"]


def test_shards_are_plain_tar_files_of_npz(tmp_path: Path) -> None:
    filled(tmp_path / "masks", [0, 1])
    with tarfile.open(tmp_path / "masks" / "00000.tar") as shard:
        assert shard.getnames() == ["00000000.npz", "00000001.npz"]
        member = shard.extractfile("00000001.npz")
        assert member is not None
        arrays = np.load(io.BytesIO(member.read()), allow_pickle=False)
    mask = np.unpackbits(arrays["bits"], count=np.prod(arrays["shape"])).reshape(arrays["shape"])
    np.testing.assert_array_equal(mask, masks(2)[1])


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_what_the_journal_does_not_know_is_cut_and_written_again(tmp_path: Path, known: int) -> None:
    folder = tmp_path / "masks"
    records = filled(folder, [0, 1, 2])
    whole = (folder / "00000.tar").read_bytes()
    with (folder / "00000.tar").open("ab") as stream:
        stream.write(b"torn")
    shards = MaskShards(folder, records[:known])
    for index in range(known, 3):
        shards.add(index, masks(3)[index])
    shards.finish()
    assert (folder / "00000.tar").read_bytes() == whole


def test_a_mask_that_never_reached_the_disk_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    first, second = filled(folder, [0, 1])
    with (folder / "00000.tar").open("r+b") as stream:
        stream.truncate(second.offset + 1)
    assert stored(folder, first)
    assert not stored(folder, second)


def test_changed_bytes_are_an_error_not_a_mask(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    (record,) = filled(folder, [0])
    content = bytearray((folder / "00000.tar").read_bytes())
    content[record.offset + 40] ^= 1
    (folder / "00000.tar").write_bytes(content)
    with pytest.raises(DataError, match="checksum"):
        read_mask(folder, record)
