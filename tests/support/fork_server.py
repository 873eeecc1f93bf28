"""Real processes of the command line that need not import their libraries anew: this one forks itself for each call.

A call is a line of JSON on stdin (arguments, folder, files for both outputs); its answer on stdout is the exit status. The
child is a process of its own, with its own memory, folder and end; only what was imported at its birth is there already.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

SECONDS = 900
IMPORTED = (
    "m3dbench.cli.main",
    "m3dbench.cli.console",
    "m3dbench.runs.engine",
    "m3dbench.runs.score_file",
    "m3dbench.judge.audit",
    "nltk",
    "pandas",
    "rouge_score.rouge_scorer",
    "sacrebleu",
    "scipy.ndimage",
    "scipy.stats",
    "torch",
)


def serve() -> None:
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        call = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            run(call)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(call: dict[str, Any]) -> None:
    """In the child: the files in place of the outputs, the command, and an end as an interpreter makes it."""
    signal.alarm(SECONDS)
    for number, path in ((0, os.devnull), (1, call["out"]), (2, call["err"])):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(call["cwd"])
    sys.argv = ["m3dbench", *call["arguments"]]
    from m3dbench.cli.main import main

    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        status = 1
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
