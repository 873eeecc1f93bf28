"""The published checkpoint of RadFM: where it is and what it needs."""

from __future__ import annotations

from m3dbench.adapters.checkpoints.source import WeightSource

RADFM = WeightSource(
    hub_id="chaoyi-wu/RadFM",
    revision="main",
    size_gb=53,
    licence="not stated by its authors; its language model is LLaMA-13B, for research only",
    memory="about 28 GB in bf16, 55 GB in fp32",
    alternative="m3d-lamed-tiny",
    by_hand=(
        "fetch chaoyi-wu/RadFM from the hub, join its archive (zip -s 0 RadFM.zip --out whole.zip) and unpack it",
        "put pytorch_model.bin beside the files of Quick_demo/Language_files of the repository chaoyi-wu/RadFM",
        "or leave those where they are: -o language=FOLDER",
    ),
)
