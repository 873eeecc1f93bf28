"""What keeping a volume's image features saves: nine questions on one volume, as M3D-VQA's types 4 and 5 ask.

    python benchmarks/image_features.py [--full-size] [--threads N]

Prints CPU seconds with the features kept and computed anew for every question, and their ratio. Weights are random;
the towers are of the phantom's grid, or with --full-size the published ones (32x256x256, 12 blocks, width 768), beside
a language model of 2 layers: with a real one the saving is the same number of seconds and a smaller ratio.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from m3dbench.adapters.checkpoints import Placement
from m3dbench.adapters.m3d_lamed.config import LaMedConfig
from m3dbench.adapters.m3d_lamed.model import LaMed
from m3dbench.adapters.m3d_lamed.running import Runner

QUESTIONS = 9
TOY = {
    "image_size": [24, 64, 64],
    "patch_size": [4, 8, 8],
    "mm_hidden_size": 192,
    "sizes": {"depth": 6, "seg_depth": 6},
}
FULL = {"image_size": [32, 256, 256], "patch_size": [4, 16, 16]}
LANGUAGE = {
    "model_type": "lamed_llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "vocab_size": 1000,
    "seg_token_id": 6,
    "eos_token_id": 2,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = LaMedConfig.of({**LANGUAGE, **(FULL if arguments.full_size else TOY)})
    runner = Runner(LaMed(config).eval(), Placement("cpu", "fp32"))
    volume = np.random.default_rng(0).random((1, *config.vision.image_size), dtype=np.float32)
    prompt = [1] * (1 + config.image_tokens) + list(range(10, 30))

    def seconds(*, keep: bool) -> float:
        began = time.process_time()
        for _ in range(QUESTIONS):
            if not keep:
                runner.features.clear()
            runner.answer([volume], [prompt], 8, masks=False)
        return time.process_time() - began

    seconds(keep=True)
    runner.features.clear()
    kept = seconds(keep=True)
    anew = seconds(keep=False)
    print(f"{QUESTIONS} questions on one volume {'x'.join(map(str, config.vision.image_size))}, CPU seconds")
    print(f"  features kept {kept:.2f}, computed anew {anew:.2f}: {anew / kept:.1f} times as fast")


if __name__ == "__main__":
    main()
