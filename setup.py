"""Package discovery for the room layout: every folder with an ``__init__.py`` under a room becomes a package of ``m3dbench``."""

from setuptools import find_packages, setup

ROOMS = {"m3dbench": "bench", "m3dbench.tasks": "tasks", "m3dbench.adapters": "adapters", "m3dbench.results": "results"}

setup(
    package_dir=ROOMS,
    packages=[name for package, folder in ROOMS.items() for name in (package, *(f"{package}.{sub}" for sub in find_packages(folder)))],
)
