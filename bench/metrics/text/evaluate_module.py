"""Any text metric of Hugging Face ``evaluate`` in a run: ``--metric evaluate:NAME_OR_PATH``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from m3dbench.metrics.core import Metric
from m3dbench.metrics.text.common import versions
from m3dbench.metrics.text.encoder import Unavailable
from m3dbench.metrics.text.foreign import Score, foreign_metric, one_line

MISSING = "the package `evaluate` is not installed: pip install 'm3dbench[evaluate]'"


def evaluate_metric(
    *, name: str, key: str = "", worst: float = 0.0, best: float = 1.0, arguments: str = "{}"
) -> Metric:
    """A module of Hugging Face ``evaluate``, one pair a call: ``evaluate:NAME_OR_PATH``.

    name: the folder or script of a module, or a name that the local Hugging Face cache holds; nothing is downloaded,
    and without the module every pair is ``unscored`` with the reason. key: which of the values it returns, where there
    are several. worst, best: the ends of its range. arguments: further arguments of ``compute``, as JSON.
    Raises ValueError for arguments that are no JSON object.
    """
    options = json.loads(arguments)
    if not isinstance(options, dict):
        raise ValueError(f"arguments must be a JSON object, not {arguments!r}")

    def load() -> Score | Unavailable:
        module = load_module(name)
        if isinstance(module, Unavailable):
            return module

        def score(prediction: str, reference: str) -> float:
            return chosen(module.compute(predictions=[prediction], references=[reference], **options), key)

        return score

    script = _script(name)
    content = sha256(script.read_bytes()).hexdigest()[:16] if script else "cached"
    told = f"key:{key or 'only'}|{json.dumps(options, sort_keys=True)}|range:{worst:g}..{best:g}"
    signature = f"{versions('evaluate')}|{_label(name)}@{content}|{told}|per-pair"
    return foreign_metric(f"evaluate:{_label(name)}", load, signature, worst=worst, best=best)


def load_module(name: str) -> Any:
    """The module of a folder, a script or a cached name, or why there is none; ``evaluate`` is told to be offline."""
    try:
        import evaluate
        from evaluate import config
    except ImportError:
        return Unavailable(MISSING)
    script = _script(name)
    before, config.HF_EVALUATE_OFFLINE = config.HF_EVALUATE_OFFLINE, True
    try:
        return evaluate.load(str(script or name), keep_in_memory=True)
    except FileNotFoundError:
        told = (
            f"evaluate module not found: no folder or script {name!r}, and no such name in the local Hugging Face cache"
        )
        return Unavailable(f"{told} (nothing is downloaded while scoring)")
    except Exception as error:  # noqa: BLE001 - a module may raise anything while it is imported
        return Unavailable(f"the evaluate module {name!r} cannot be loaded offline: {one_line(error)}")
    finally:
        config.HF_EVALUATE_OFFLINE = before


def chosen(result: Mapping[str, Any], key: str) -> float:
    """The value meant: that of ``key``, else the only number. Raises ValueError naming the keys where it is open."""
    numbers = {name: number for name, value in result.items() if (number := _number(value)) is not None}
    if key:
        if key not in numbers:
            raise ValueError(f"there is no number {key!r} among its values: {', '.join(numbers) or 'none'}")
        return numbers[key]
    if len(numbers) != 1:
        raise ValueError(f"it gives {len(numbers)} numbers ({', '.join(numbers)}): choose one with the option `key`")
    return next(iter(numbers.values()))


def _number(value: Any) -> float | None:
    """A number, or that of a list of one."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        return None
    return float(value)


def _script(name: str) -> Path | None:
    """The script of a module that lies in a folder."""
    path = Path(name).expanduser()
    return next((file for file in (path, path / f"{path.name}.py") if file.suffix == ".py" and file.is_file()), None)


def _label(name: str) -> str:
    return _script(name).stem if _script(name) else name  # type: ignore[union-attr]
