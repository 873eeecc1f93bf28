"""Package discovery for the room layout: each folder with an ``__init__.py`` becomes a package of ``m3dbench``."""

from setuptools import find_packages, setup

ROOMS = {
    "m3dbench": "bench",
    "m3dbench.tasks": "tasks",
    "m3dbench.adapters": "adapters",
    "m3dbench.results": "results",
}


def packages() -> list[str]:
    """Dotted names of every package in every room."""
    return [
        name for room, folder in ROOMS.items() for name in (room, *(f"{room}.{sub}" for sub in find_packages(folder)))
    ]


setup(package_dir=ROOMS, packages=packages())
