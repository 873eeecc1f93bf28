"""Reading constants out of a Python file as data. Nothing in the file is ever compiled to code or run."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

from m3dbench.errors import UserError

MAX_BYTES = 8 * 2**20
_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.expr_context)


def read_literals(path: Path) -> dict[str, Any]:
    """Name -> value of a file's module-level assignments of literals; strings side by side are one string.

    Raises UserError naming file and line for everything else: calls, imports, expressions, other statements, a file
    that is too large, no UTF-8 or no Python.
    """
    values: dict[str, Any] = {}
    for statement in parse(path).body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        target, value = _assignment(statement)
        if target is None or value is None:
            raise _refusal(path, statement)
        for node in ast.walk(value):
            if not isinstance(node, _LITERALS) or (isinstance(node, ast.Dict) and None in node.keys):
                raise _refusal(path, node if hasattr(node, "lineno") else statement)
        try:
            values[target] = ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError, MemoryError) as error:
            raise _refusal(path, statement) from error
    return values


def _assignment(statement: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None, None
    return (target.id, statement.value) if isinstance(target, ast.Name) else (None, None)


def parse(path: Path) -> ast.Module:
    """A file as a syntax tree. Raises UserError when it is too large, no UTF-8 or no Python."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UserError(
            f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read", file=path, fix="give an unchanged checkout"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape sequence that a newer Python frowns on
            return ast.parse(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"cannot be read as UTF-8 text: {error}", file=path) from error
    except SyntaxError as error:
        raise UserError(f"is not Python: {error.msg}", file=path, record=f"line {error.lineno}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"cannot be parsed: {error or type(error).__name__}", file=path) from error


def _refusal(path: Path, node: ast.AST) -> UserError:
    kind = type(node).__name__
    return UserError(
        f"only assignments of plain lists and dictionaries of texts are read here, not {kind}; nothing was run",
        file=path,
        record=f"line {getattr(node, 'lineno', '?')}",
        fix="give an unchanged checkout of the M3D repository",
    )
