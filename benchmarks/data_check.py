"""How fast ``m3dbench data check`` goes through many small files, and how much memory it takes.

    python benchmarks/data_check.py FOLDER [CASES]

Writes an M3D-Cap directory of CASES cases (50,000: 100,000 files) with tiny volumes to FOLDER unless it is there, then
checks it whole, with ``--quick``, and with every volume missing. Prints wall and CPU seconds of all processes, files a
second, and the largest sum of resident memory seen.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from m3dbench.data.check.check import check
from m3dbench.runs.engine import open_data


def make(folder: Path, cases: int) -> None:
    """The directory, with one series and one text a case."""
    if (folder / "M3D_Cap_npy" / "M3D_Cap.json").is_file():
        return
    rng = np.random.default_rng(0)
    volume = rng.random((1, 2, 4, 4), dtype=np.float32)
    items = []
    for number in range(cases):
        place = folder / "M3D_Cap_npy" / "ct_quizze" / f"{number:06d}"
        place.mkdir(parents=True)
        np.save(place / "Axial_non_contrast.npy", volume)
        (place / "text.txt").write_text(
            f"The liver is {number} mm long and of even density. No focal lesion is seen.\n"
        )
        name = place.relative_to(folder).as_posix()
        items.append({"image": f"{name}/Axial_non_contrast.npy", "text": f"{name}/text.txt"})
    (folder / "M3D_Cap_npy" / "M3D_Cap.json").write_text(json.dumps({"train": items}))


class Peak:
    """The largest sum of resident memory of this process and its children, sampled."""

    def __enter__(self) -> Peak:
        self.largest, self.alone, self._over = 0, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._over.wait(0.2):
            sizes = [own.memory_info().rss]
            for child in own.children(recursive=True):
                try:
                    sizes.append(child.memory_info().rss)
                except psutil.Error:
                    continue
            self.largest, self.alone = max(self.largest, sum(sizes)), max(self.alone, sizes[0])


def measure(title: str, folder: Path, *, quick: bool = False) -> None:
    before, began = os.times(), time.perf_counter()
    with Peak() as peak:
        report = check(open_data(folder), quick=quick)
    after, wall = os.times(), time.perf_counter() - began
    cpu = sum(after[:4]) - sum(before[:4])
    print(
        f"{title}: {report.files:,} files, {report.count('error'):,} errors; {wall:.1f} s wall, {cpu:.1f} s CPU, "
        f"{report.files / wall:,.0f} files/s; peak {peak.largest / 2**20:.0f} MiB, of it {peak.alone / 2**20:.0f} MiB "
        "in the main process",
        flush=True,
    )


def main() -> None:
    folder, cases = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    make(folder, cases)
    measure("whole", folder)
    measure("quick", folder, quick=True)
    listed = folder.with_name(folder.name + "-missing") / "M3D_Cap_npy"
    listed.mkdir(parents=True, exist_ok=True)
    (listed / "M3D_Cap.json").write_bytes((folder / "M3D_Cap_npy" / "M3D_Cap.json").read_bytes())
    measure("all missing", listed.parent)


if __name__ == "__main__":
    main()
