"""How HD95 and NSD compare with MONAI's functions, as ratios measured in the same run, and how far values differ.

    python benchmarks/surface.py [--masks FOLDER] [--limit 40]

A ratio above 1 says that ours is faster. FOLDER holds prepared masks (``**/masks/*.npy``); without it, balls of several
sizes on a grid of (32, 256, 256). Predictions are the references shifted and eroded. Needs monai.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from scipy import ndimage

from m3dbench.metrics.surface import hausdorff_95, surface_dice

Mask = npt.NDArray[np.bool_]
GRID, SPACING, TOLERANCE = (32, 256, 256), (5.0, 1.2, 1.4), 2.0


def balls() -> list[Mask]:
    axes = np.indices(GRID, dtype=np.float32)
    middle = np.array(GRID)[:, None, None, None] / 2
    scale = np.array([1.0, 4.0, 4.0])[:, None, None, None]
    away = np.sqrt((((axes - middle) / scale) ** 2).sum(axis=0))
    return [away < radius for radius in (2, 4, 8, 14)]


def stored(folder: Path, limit: int) -> list[Mask]:
    masks = (np.load(path)[0] for path in sorted(folder.rglob("masks/*.npy"))[:limit])
    return [mask for mask in masks if mask.any()]


def monai_hd95(prediction: Mask, reference: Mask) -> float:
    pair = [torch.from_numpy(mask[None, None]) for mask in (prediction, reference)]
    return float(compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=list(SPACING)))


def monai_nsd(prediction: Mask, reference: Mask) -> float:
    pair = [torch.from_numpy(mask[None, None]) for mask in (prediction, reference)]
    options = {"include_background": True, "use_subvoxels": True, "spacing": list(SPACING)}
    return float(compute_surface_dice(*pair, class_thresholds=[TOLERANCE], **options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--limit", type=int, default=40)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    references = stored(options.masks, options.limit) if options.masks else balls()
    pairs = []
    for reference in references:
        shifted = np.roll(ndimage.binary_erosion(reference), 3, axis=2)
        pairs.append((shifted if shifted.any() else np.roll(reference, 3, axis=2), reference))
    ours = {
        "hd95": lambda p, r: hausdorff_95(p, r, SPACING),
        "nsd": lambda p, r: surface_dice(p, r, SPACING, TOLERANCE),
    }
    for name, theirs in (("hd95", monai_hd95), ("nsd", monai_nsd)):
        theirs(*pairs[0]), ours[name](*pairs[0])
        spent, values = [], []
        for work in (ours[name], theirs):
            start = time.process_time()
            values.append(np.array([work(*pair) for pair in pairs]))
            spent.append(time.process_time() - start)
        each = 1000 * spent[0] / len(pairs)
        apart = np.abs(values[0] - values[1]).max()
        print(f"{name}: {spent[1] / spent[0]:.1f} times MONAI's speed, {each:.1f} ms a pair, {len(pairs)} pairs, ")
        print(f"      greatest difference {apart:.1e}")


if __name__ == "__main__":
    main()
