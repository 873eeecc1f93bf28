"""What a volume is asked to tell of itself while the vision tower learns: structures by place, and facts of the whole.

These heads exist in training only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from m3dbench.data.phantom import KINDS, ORGANS, PLANES, SETTINGS
from m3dbench.data.phantom.anatomy import COVERAGES
from m3dbench.data.phantom.labels import Tissue

from .cases import GRID, TrainingCase

STRUCTURES = ("other", *ORGANS, *KINDS)
"""Classes of a voxel: an elementary organ, or a finding by its kind."""
FINE = (GRID[0], GRID[1] // 2, GRID[2] // 2)
"""The grid (D, H, W) on which structures are asked for: that of the mask decoder's last features."""
SITES = (
    "upper part of the right lobe of the liver",
    "lower part of the right lobe of the liver",
    "left lobe of the liver",
    *(
        f"{part} of the {side} kidney"
        for side in ("left", "right")
        for part in ("upper pole", "lower pole", "middle third")
    ),
    *(f"renal pelvis of the {side} kidney" for side in ("left", "right")),
    "left lower lobe",
    "right lower lobe",
    "left upper lobe",
    "right middle lobe",
    "upper half of the spleen",
    "lower half of the spleen",
    "gallbladder",
    "wall of the abdominal aorta",
    "left para-aortic space",
    "right paracaval space",
    "head of the pancreas",
    "tail of the pancreas",
)
"""Where findings lie."""
STATES = ("spleen", "left kidney", "right kidney", "gallbladder", "flat spleen", "flat urinary bladder")
_SIZE_MM = 30.0

_ORGAN_OF = np.zeros(256, dtype=np.int64)
for _index, _codes in enumerate(ORGANS.values()):
    _ORGAN_OF[list(_codes)] = 1 + _index


@dataclass(frozen=True)
class GlobalTargets:
    """Facts of a batch: class indices (B,), multi-hot (B, n), and sizes in units of 30 mm with their weights."""

    plane: Tensor
    setting: Tensor
    coverage: Tensor
    flags: Tensor
    sizes: Tensor
    size_weights: Tensor


FLAGS = len(KINDS) + len(SITES) + len(STATES)
SIZES = len(KINDS) + 2


def structures(case: TrainingCase) -> np.ndarray:
    """Index into ``STRUCTURES`` of every cell of ``FINE``; a cell with any voxel of a finding is the finding's."""
    labels = case.case.labels
    table = _ORGAN_OF.copy()
    for index, finding in enumerate(case.facts.findings):
        table[Tissue.FIRST_FINDING + index] = 1 + len(ORGANS) + KINDS.index(finding.kind)
    known = table.astype(np.uint8)[labels]
    findings = np.maximum(known[:, ::2], known[:, 1::2])
    findings = np.maximum(findings[:, :, ::2], findings[:, :, 1::2])
    cells = known[:, ::2, ::2]
    return np.where(findings > len(ORGANS), findings, cells).astype(np.int64)


def global_targets(cases: list[TrainingCase]) -> GlobalTargets:
    """The facts of a batch."""
    flags = np.zeros((len(cases), FLAGS), dtype=np.float32)
    sizes = np.zeros((len(cases), SIZES), dtype=np.float32)
    weights = np.zeros_like(sizes)
    for row, case in enumerate(cases):
        facts = case.facts
        seen = set(np.unique(case.case.labels[case.case.labels >= Tissue.FIRST_FINDING]).tolist())
        for index, finding in enumerate(facts.findings):
            if Tissue.FIRST_FINDING + index in seen:
                flags[row, KINDS.index(finding.kind)] = 1
                flags[row, len(KINDS) + SITES.index(finding.place)] = 1
                sizes[row, KINDS.index(finding.kind)] = finding.size_mm / _SIZE_MM
                weights[row, KINDS.index(finding.kind)] = 1
        for name in (*facts.removed, *(f"flat {organ}" for organ in facts.flat)):
            flags[row, len(KINDS) + len(SITES) + STATES.index(name)] = 1
        sizes[row, -2:] = facts.liver_mm / _SIZE_MM - 5, facts.aorta_mm / _SIZE_MM
        weights[row, -2:] = 1
    return GlobalTargets(
        plane=torch.tensor([PLANES.index(case.facts.plane) for case in cases]),
        setting=torch.tensor([SETTINGS.index(case.facts.setting) for case in cases]),
        coverage=torch.tensor([list(COVERAGES).index(case.facts.coverage) for case in cases]),
        flags=torch.from_numpy(flags),
        sizes=torch.from_numpy(sizes),
        size_weights=torch.from_numpy(weights),
    )
