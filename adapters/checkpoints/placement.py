"""Where a network computes and in what precision: the options ``--device`` and ``--dtype``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from m3dbench.errors import UserError, missing_extra

if TYPE_CHECKING:
    import torch

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Our names of the precisions, and torch's."""


@dataclass(frozen=True)
class Placement:
    """device: ``cpu`` or ``cuda:N``. dtype: a key of ``DTYPES``."""

    device: str
    dtype: str

    @staticmethod
    def of(dtype: str = "auto", device: str = "auto") -> Placement:
        """From the user's options.

        device: cpu, cuda, cuda:N or auto (a GPU where there is one). dtype: fp32, bf16, fp16 or auto, which is fp32 on
        a CPU (as M3D was evaluated) and half precision on a GPU: bf16 where it has that, else fp16.

        Raises UserError for another value, for a GPU that is not there, and where torch is not installed.
        """
        try:
            import torch
        except ImportError as error:
            raise missing_extra("a model with weights", "models") from error
        place = _device(device)
        if dtype == "auto":
            half = "bf16" if place != "cpu" and torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
            dtype = "fp32" if place == "cpu" else half
        if dtype not in DTYPES:
            raise UserError(f"there is no dtype {dtype!r}", field="--dtype", fix="give fp32, bf16, fp16 or auto")
        return Placement(place, dtype)

    @property
    def torch_dtype(self) -> torch.dtype:
        import torch

        found: torch.dtype = getattr(torch, DTYPES[self.dtype])
        return found

    def facts(self) -> Mapping[str, Any]:
        """What of it affects predictions: the precision and the kind of device."""
        return {"dtype": self.dtype, "device": self.device.partition(":")[0]}

    def recorded(self) -> Mapping[str, Any]:
        """The device in full, with the GPU's name and the number of CPU threads."""
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device != "cpu" else None
        return {"device": self.device, "gpu": name, "cpu_threads": torch.get_num_threads(), "cuda": torch.version.cuda}


def _device(wanted: str) -> str:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda:0" if count else "cpu"
    if wanted == "cpu":
        return wanted
    match = re.fullmatch(r"cuda(?::(\d+))?", wanted)
    if match is None:
        raise UserError(f"there is no device {wanted!r}", field="--device", fix="give cpu, cuda, cuda:N or auto")
    index = int(match[1] or 0)
    if index >= count:
        seen = f"torch {torch.__version__} sees {count or 'no'} GPU{'s' if count != 1 else ''}"
        raise UserError(f"there is no {wanted}: {seen}", field="--device", fix="give --device cpu or auto")
    return f"cuda:{index}"
