"""Models and processors of transformers, from a checkpoint's folder alone; nothing is fetched behind our back."""

from __future__ import annotations

from typing import Any

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.plan import EXTRAS, fits
from m3dbench.adapters.checkpoints.tokenizer import quiet
from m3dbench.errors import UserError

SHOWN = 5
AGAIN = "copy or download the folder again"
TRUST = "look at the code beside the weights, and add --trust-remote-code to run it"
PACKAGE = "install the package that is named here, and repeat the command"
COMPLETE = "is the folder complete, and does the installed transformers know this model?"


def pretrained(kind: Any, checkpoint: Checkpoint, placement: Placement, *, trust: bool = False) -> Any:
    """A model of one of transformers' Auto classes, in evaluation mode.

    trust: code that lies beside the weights may run. Raises UserError where the folder is not such a model, or where
    weights are missing or of another shape: transformers itself would make them up.
    """
    if checkpoint.lora:
        raise UserError("a LoRA adapter is not read here", file=checkpoint.path, fix="merge it into its base first")
    with quiet():
        options = {"dtype": placement.torch_dtype, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, told = _read(kind, checkpoint, trust, **options)
    missing = sorted(name for name in told["missing_keys"] if not fits(name, EXTRAS))
    reshaped = sorted(str(entry[0]) for entry in told["mismatched_keys"])
    if missing or reshaped:
        names = [*missing, *reshaped]
        raise UserError(
            f"these are not the weights of {type(model).__name__}: {len(missing)} missing, {len(reshaped)} of another"
            f" shape ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})",
            file=checkpoint.path,
            fix=AGAIN,
        )
    return model.to(placement.device).eval()


def processor(kind: Any, checkpoint: Checkpoint, *, trust: bool = False, **options: Any) -> Any:
    """A processor of one of transformers' Auto classes. Raises UserError where the folder holds none."""
    with quiet():
        return _read(kind, checkpoint, trust, **options)


def _read(kind: Any, checkpoint: Checkpoint, trust: bool, **options: Any) -> Any:
    from safetensors import SafetensorError

    try:
        return kind.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=trust, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        fix = TRUST if "trust_remote_code" in str(error) and not trust else COMPLETE
        if isinstance(error, ImportError):
            first, fix = first.partition(". ")[0], PACKAGE
        raise UserError(f"{kind.__name__} cannot read it: {first}", file=checkpoint.path, fix=fix) from error
    except SafetensorError as error:
        raise UserError(f"the weights cannot be read: {error}", file=checkpoint.path, fix=AGAIN) from error
