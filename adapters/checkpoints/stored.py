"""The tensors of one weight file, memory-mapped; only tensors are unpickled, never code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from m3dbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

POINTER = b"version https://git-lfs"
WINDOWS = 16
"""A file is opened anew after each 16th of it: pages of a mapping count as memory until it is closed."""


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Tensor name -> shape, without reading values."""
    if path.suffix == ".safetensors":
        with _safetensors(path) as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    return {name: tuple(tensor.shape) for name, tensor in _unpickled(path).items()}


def tensors(path: Path, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """The named tensors, memory-mapped: copy what you keep, and drop each before the next is taken."""
    limit = path.stat().st_size // WINDOWS
    rest = list(names)
    while rest:
        read = 0
        window: Any = _safetensors(path).__enter__() if path.suffix == ".safetensors" else _unpickled(path)
        while rest and read <= limit:
            name = rest.pop(0)
            tensor = window.get_tensor(name) if path.suffix == ".safetensors" else window[name]
            read += tensor.numel() * tensor.element_size()
            yield name, tensor
            del tensor
        del window


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        raise _broken(path, error) from error


def _unpickled(path: Path) -> Mapping[str, Tensor]:
    """A state dict saved by torch.save, also one level down."""
    import pickle

    import torch

    try:
        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            found = torch.load(path, map_location="cpu", weights_only=True)  # files of torch before 1.6
    except pickle.UnpicklingError as error:
        # torch's own words advise to run what is in the file
        if "weights_only" not in str(error) or _is_pointer(path):
            raise _broken(path, error) from error
        raise UserError(
            "the weights cannot be read: it holds more than tensors, whose code is not run",
            file=path,
            fix="save the state dict alone: torch.save(network.state_dict(), FILE)",
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise _broken(path, error) from error
    if not isinstance(found, Mapping):
        raise _broken(path, f"it holds a {type(found).__name__}, not a state dict")
    return _state_dict(found, path)


def _state_dict(found: Mapping[str, Any], path: Path) -> Mapping[str, Tensor]:
    """The tensors of a training state: under the usual names, else its own, else those of its only inner mapping."""
    for level in ("state_dict", "model"):
        if isinstance(found.get(level), Mapping):
            found = found[level]
    if own := _tensors(found):
        return own
    inner = {key: held for key, value in found.items() if isinstance(value, Mapping) and (held := _tensors(value))}
    if len(inner) != 1:
        told = "several state dicts" if inner else "no tensors"
        names = ", ".join(map(repr, inner or found))
        fix = "save the one that is meant alone: torch.save(network.state_dict(), FILE)"
        raise UserError(f"the file holds {told}{names and f': {names}'}", file=path, fix=fix)
    return next(iter(inner.values()))


def _tensors(found: Mapping[str, Any]) -> dict[str, Tensor]:
    import torch

    return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}


def _broken(path: Path, error: object) -> UserError:
    if _is_pointer(path):
        told = "the weights are not here: this is the pointer that Git LFS keeps in their place"
        return UserError(told, file=path, fix="git lfs pull, in the repository that the file is from")
    first = next(iter(str(error).strip().splitlines()), "the file ends too soon")
    return UserError(f"the weights cannot be read: {first}", file=path, fix="copy or download the file again")


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(POINTER)) == POINTER
