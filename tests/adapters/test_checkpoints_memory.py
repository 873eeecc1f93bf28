"""Loading takes little more memory than the weights themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from published_folder import published_once

MEASURED = """
import re, sys
from pathlib import Path
import torch
from m3dbench.adapters.checkpoints import Checkpoint, Placement, load
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import UNUSED, LaMed, rename

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

checkpoint = Checkpoint(Path(sys.argv[1]))
config = LaMedConfig.of(checkpoint.config())
before = peak()
model = load(lambda: LaMed(config), checkpoint, placement=Placement("cpu", sys.argv[2]), rename=rename, unused=UNUSED)
weights = sum(value.nbytes for value in model.state_dict().values())
print((peak() - before) / weights, next(model.parameters()).dtype)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize(("dtype", "expected"), [("bf16", "torch.bfloat16"), ("fp32", "torch.float32")])
def test_peak_memory_of_loading(
    dtype: str, expected: str, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not (shared / "parity" / "weights.py").is_file():
        pytest.skip("the parity material is not in the shared folder")
    folder = published_once(shared / "parity", "m3d_lamed_phi3", tmp_path_factory)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder), dtype],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    ratio, found = done.stdout.split()
    assert found == expected
    assert 0.9 < float(ratio) < 1.3
