"""The one HTML page of the viewer and the files beside it."""

from __future__ import annotations

from importlib.resources import files

from m3dbench.errors import missing_extra

SCRIPTS = ("data.js", "list.js", "scene.js", "stack.js", "sample.js", "viewer.js", "main.js")
"""In the order in which they are loaded, as classic scripts."""
STYLE = "viewer.css"
NIIVUE = "niivue.umd.js"
_COMMON = "default-src 'none'; base-uri 'none'; form-action 'none'; "
SERVED_POLICY = (
    _COMMON
    + "frame-ancestors 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
)
STATIC_POLICY = _COMMON + "script-src 'self' file:; style-src 'self' file:; img-src data:"
"""Scripts from files alone: nothing in a text can run, even if it came to be read as markup."""


def page(title: str, form: str) -> bytes:
    """``index.html`` in the form ``served`` or ``static``. Needs jinja2."""
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise missing_extra("The viewer", "site") from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    source = (files(__package__) / "templates" / "index.html").read_text(encoding="utf-8")
    scripts = SCRIPTS if form == "static" else ("data.js", "nii.js", *SCRIPTS[1:])
    text = environment.from_string(source).render(title=title, form=form, scripts=scripts, policy=STATIC_POLICY)
    return text.encode()


def asset(name: str) -> bytes:
    """A file beside the page, by its bare name. Raises KeyError for any other."""
    if name not in (*SCRIPTS, "nii.js", STYLE):
        raise KeyError(name)
    return (files(__package__) / "assets" / name).read_bytes()


def niivue() -> bytes:
    """NiiVue's build for classic scripts, gzipped as it is kept."""
    return (files(__package__) / "vendor" / f"{NIIVUE}.gz").read_bytes()
