"""A network of ``monai.networks.nets`` with its weights: no other class, and no code of the description's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from m3dbench.adapters.checkpoints import Placement, load
from m3dbench.adapters.monai_seg.description import PAGE, Network, Weights
from m3dbench.errors import UserError


def network_class(name: str, file: Path) -> type[nn.Module]:
    """The class of ``monai.networks.nets``. Raises UserError naming those that are near."""
    import difflib

    from monai.networks import nets

    known = {key: value for key, value in vars(nets).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or ["SegResNet", "SwinUNETR", "UNETR"]
        raise UserError(
            f"monai.networks.nets has no network {name!r}",
            file=file,
            field="network.class",
            fix=f"a class of it, by its name there: {', '.join(near)}",
        )
    found: type[nn.Module] = known[name]
    return found


def built(network: Network, file: Path) -> nn.Module:
    """The network, its parameters as its class leaves them.

    Raises UserError naming the argument that its class does not take or cannot work with.
    """
    kind = network_class(network.kind, file)
    parameters = inspect.signature(kind).parameters
    given = {name: _tupled(value) for name, value in network.arguments.items()}
    unknown = [name for name in given if name not in parameters]
    needed = [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and name not in given
    ]
    if unknown or needed:
        told = f"does not take {unknown[0]!r}" if unknown else f"needs {needed[0]!r}"
        raise UserError(
            f"{network.kind} of this MONAI {told}",
            file=file,
            field=f"network.arguments.{(unknown or needed)[0]}",
            fix=f"its arguments are: {', '.join(parameters)}",
        )
    try:
        made: nn.Module = kind(**given)
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"{network.kind} cannot be built: {first}", file=file, field="network.arguments", fix=f"see {PAGE}"
        ) from error
    return made


def loaded(build: Callable[[], nn.Module], weights: Weights, path: Path, placement: Placement) -> nn.Module:
    """A network from ``build`` with the weights in a file. Raises UserError naming the tensors that do not fit."""
    return load(
        build,
        path,
        placement=placement,
        rename=lambda name: name.removeprefix(weights.prefix),
        unused=weights.unused,
        missing_ok=weights.missing,
    )


def _tupled(value: Any) -> Any:
    """TOML and JSON have lists only; MONAI's classes mostly expect tuples."""
    return tuple(_tupled(one) for one in value) if isinstance(value, list) else value
