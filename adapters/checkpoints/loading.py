"""Builds a network without memory for its weights and fills it tensor by tensor from a checkpoint's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from m3dbench.adapters.checkpoints.checkpoint import Checkpoint
from m3dbench.adapters.checkpoints.placement import Placement
from m3dbench.adapters.checkpoints.plan import Plan, Rename
from m3dbench.adapters.checkpoints.stored import tensors
from m3dbench.errors import UserError

Network = TypeVar("Network", bound=nn.Module)
_BUILDING = Lock()


def load(
    build: Callable[[], Network],
    place: Checkpoint | Path,
    *,
    placement: Placement,
    rename: Rename = str,
    unused: Sequence[str] = (),
    missing_ok: Sequence[str] = (),
) -> Network:
    """The network in evaluation mode, its parameters and persistent buffers from the checkpoint.

    build: makes the network (called once; its parameters take no memory). rename: the network's name of a checkpoint's
    tensor. unused, missing_ok: patterns (whole names in the network's naming) of tensors that a checkpoint may hold
    without use, and that it may lack (they become zeros). Peak memory is the network's plus a few hundredths.

    Raises UserError naming tensors that are missing, unexpected, of another shape, or no finite numbers.
    """
    checkpoint = place if isinstance(place, Checkpoint) else Checkpoint(place)
    with weightless():
        network = build()
    slots = network.state_dict(keep_vars=True)
    plan = Plan.of(checkpoint, {name: tuple(slot.shape) for name, slot in slots.items()}, rename, unused)
    plan.check(tied_names(slots), missing_ok, type(network).__name__)
    filled: dict[int, Tensor] = {}
    for path, wanted in plan.by_file().items():
        for theirs, stored in tensors(path, list(wanted)):
            name = wanted[theirs]
            value = _placed(plan.with_delta(name, stored), placement)
            if slots[name].is_floating_point() and (told := _no_numbers(value, placement)):
                fix = "give weights that are not quantised, or copy or download the file again"
                raise UserError(f"the tensor cannot be used: {told}", file=path, record=theirs, fix=fix)
            filled[id(slots[name])] = value
            del stored
    for name, slot in slots.items():
        if id(slot) not in filled:
            filled[id(slot)] = _placed(torch.zeros(slot.shape), placement)
        value = filled[id(slot)]
        if isinstance(slot, nn.Parameter) and not isinstance(value, nn.Parameter):
            filled[id(slot)] = value = nn.Parameter(value, requires_grad=False)
        _assign(network, name, value)
    return network.to(placement.device).eval()


def _no_numbers(value: Tensor, placement: Placement) -> str:
    """What keeps a tensor from filling a parameter; empty when nothing does."""
    if not value.is_floating_point():
        return f"it holds {str(value.dtype).removeprefix('torch.')}, and the network computes with floating numbers"
    finite = not value.numel() or all(bool(bound.isfinite()) for bound in value.aminmax())
    return "" if finite else f"it holds values that are not finite in {placement.dtype}"


def _placed(value: Tensor, placement: Placement) -> Tensor:
    """A copy, so that nothing holds on to the file's mapping."""
    dtype = placement.torch_dtype if value.is_floating_point() else value.dtype
    return value.to(device=placement.device, dtype=dtype, copy=True)


def _assign(network: nn.Module, name: str, value: Tensor) -> None:
    path, _, attribute = name.rpartition(".")
    module = network.get_submodule(path)
    held: dict[str, Any] = module._parameters if attribute in module._parameters else module._buffers
    held[attribute] = value


def tied_names(slots: Mapping[str, Tensor]) -> list[set[str]]:
    """Names of one tensor each, most often a single one."""
    groups: dict[int, set[str]] = {}
    for name, slot in slots.items():
        groups.setdefault(id(slot), set()).add(name)
    return list(groups.values())


@contextmanager
def weightless() -> Iterator[None]:
    """Parameters of modules made meanwhile have a shape and no values; buffers are computed as ever.

    Unlike torch.device("meta"), which would lose buffers that no checkpoint holds (rotary frequencies), and unlike
    accelerate's init_empty_weights, which would untie tied weights.
    """
    register = nn.Module.register_parameter

    def empty(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and not parameter.is_meta:
            parameter = nn.Parameter(parameter.to("meta"), requires_grad=False)
        register(module, name, parameter)

    with _BUILDING:
        nn.Module.register_parameter = empty  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            nn.Module.register_parameter = register  # type: ignore[method-assign]
