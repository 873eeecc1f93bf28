"""What the engine itself costs: start-up, overhead per sample, memory against the number of samples.

python benchmarks/engine.py [--samples 2000 20000]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = """
import resource, sys, time
from pathlib import Path
from m3dbench import registry
from m3dbench.runs.engine import Settings, open_data, run_task
from m3dbench.runs.folder import RunFolder
data, out = map(Path, sys.argv[1:])
source = open_data(data)
folder = RunFolder.create(out)
folder.begin()
began = time.process_time()
run_task(registry.create("tasks", "vqa_closed"), registry.create("adapters", "random"), source, folder, Settings())
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def questions(folder: Path, count: int) -> Path:
    """A data directory with ``count`` questions on 2,000 cases or fewer, and no volumes."""
    table = folder / f"{count}" / "M3D-VQA" / "M3D_VQA_test.csv"
    table.parent.mkdir(parents=True)
    header = ["Image Path", "Text", "Question Type", "Question", "Choice A", "Choice B", "Choice C", "Choice D"]
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*header, "Answer", "Answer Choice"])
        for number in range(count):
            image = f"M3D_Cap_npy/ct_quizze/{number % min(2000, count // 7):06d}/Axial.npy"
            writer.writerow([image, "", number % 5 + 1, f"Question {number}?", "a", "b", "c", "d", "b", "B"])
    return table.parent.parent


def cpu_seconds(command: list[str], repeats: int = 5) -> float:
    """Least user and system time of a child over the repeats."""
    found = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs=2, default=(2000, 20000))
    arguments = parser.parse_args()
    python, command = sys.executable, str(Path(sys.executable).with_name("m3dbench"))
    empty = cpu_seconds([python, "-c", "pass"])
    print(f"python itself           {empty:.3f} CPU s")
    print(
        f"import m3dbench         {cpu_seconds([python, '-c', 'import m3dbench']) - empty:.3f} CPU s more (budget 0.15)"
    )
    for option in (["--help"], ["list", "tasks"], ["run", "--help"]):
        print(f"m3dbench {' '.join(option):<14} {cpu_seconds([command, *option]):.3f} CPU s (budget 0.4)")
    with tempfile.TemporaryDirectory() as place:
        measured = {}
        for count in arguments.samples:
            data = questions(Path(place), count)
            began = time.perf_counter()
            child = [python, "-c", RUN, str(data), str(Path(place) / f"run-{count}")]
            done = subprocess.run(child, check=True, capture_output=True, text=True, env=os.environ)
            seconds, megabytes = map(float, done.stdout.split())
            measured[count] = (seconds, megabytes)
            wall = time.perf_counter() - began
            each = 1000 * seconds / count
            print(f"{count:>6} samples: {each:.2f} CPU ms a sample, {megabytes:.0f} MB at most, {wall:.1f} s in all")
        few, many = arguments.samples
        more = (measured[many][1] - measured[few][1]) * 1024 / (many - few)
        slope = (measured[many][0] - measured[few][0]) * 1000 / (many - few)
        print(f"each further sample: {slope:.2f} CPU ms with its scores (budget 1 for the engine), {more:.2f} kB")
        print(json.dumps({"samples": list(measured), "seconds_and_megabytes": list(measured.values())}))


if __name__ == "__main__":
    main()
