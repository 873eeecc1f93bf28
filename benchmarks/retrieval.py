"""How ranking in blocks compares with ranking from one similarity matrix, in time and memory, measured in one run.

    python benchmarks/retrieval.py [--pairs 20000] [--dimensions 768] [--small 2000]

The plain way holds the whole matrix and sorts every row; it is run on ``--small`` pairs. Blocks are run there too, for
the ratio, and on ``--pairs``, where the matrix alone would take pairs^2 * 8 bytes. Memory is the peak of what is
allocated beyond the embeddings. Texts are shared by about three images, as in M3D-Cap, so that ties are common.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from m3dbench.metrics.ranking import places

Arrays = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]


def pool(pairs: int, dimensions: int) -> Arrays:
    """Image embeddings near their texts', text embeddings equal for equal texts, groups."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, max(1, pairs // 3), pairs)
    directions = rng.standard_normal((int(groups.max()) + 1, dimensions)).astype(np.float32)
    text = directions[groups]
    image = text + 4 * rng.standard_normal((pairs, dimensions), dtype=np.float32)
    return image, text, groups


def plain(image: npt.NDArray[np.float32], text: npt.NDArray[np.float32], groups: npt.NDArray[np.int64]) -> None:
    wide = [rows.astype(np.float64) for rows in (image, text)]
    queries, gallery = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in wide)
    order = np.argsort(-np.round(queries @ gallery.T, 6), axis=1, kind="stable")
    (groups[order] == groups[:, np.newaxis]).argmax(axis=1)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds, and the peak in MiB of what was allocated; in two runs, since tracing slows Python down."""
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--small", type=int, default=2_000)
    parser.add_argument("--dimensions", type=int, default=768)
    options = parser.parse_args()
    warm = pool(200, options.dimensions)
    places(*warm)
    small, large = pool(options.small, options.dimensions), pool(options.pairs, options.dimensions)
    mib = large[0].nbytes / 2**20
    matrix = options.pairs**2 * 8 / 2**20
    blocks, grown = measured(lambda: places(*small))
    print(f"{options.small} pairs, blocks: peak {grown:.0f} MiB")
    seconds, grown = measured(lambda: places(*large))
    work = (options.pairs / options.small) ** 2
    print(f"{options.pairs} pairs, blocks: peak {grown:.0f} MiB (embeddings: twice {mib:.0f} MiB)")
    print(f"  a similarity matrix would take {matrix:.0f} MiB, {matrix / max(grown, 1):.0f} times as much")
    print(f"  {seconds / blocks:.0f} times the time of {options.small} pairs, for {work:.0f} times the similarities")
    whole, grown = measured(lambda: plain(*small))
    print(f"{options.small} pairs, one matrix: {whole / blocks:.2f} times the time, peak {grown:.0f} MiB")


if __name__ == "__main__":
    main()
