"""Build the optional compiled leaves; everything else about the package is in setup.cfg."""
from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("osip/core/_accel")
# recvmmsg and sendmmsg are Linux; elsewhere, and without a compiler or Cython, osip runs in pure Python.
LEAVES = [Extension(f"osip.core._accel.{name}", [str(FOLDER / f"{name}.pyx")],
                    depends=[str(FOLDER / depended) for depended in depends],
                    include_dirs=[str(FOLDER)], extra_compile_args=["-O2", "-fno-strict-aliasing"])
          for name, depends in (("leaf", ("scan.h", "slot.h", "scan.pxd")), ("datagram", ()))]


def extensions() -> list[Extension]:
    """Return what can be built here: nothing when it is not Linux or Cython is missing or cannot do it."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        from Cython.Build import cythonize

        found: list[Extension] = cythonize(LEAVES, language_level=3)
        for extension in found:
            extension.optional = True       # Cython makes new ones and does not carry this over
        return found
    except Exception as error:      # a build without the leaf is better than none
        print(f"osip: building without the accelerator: {error}", file=sys.stderr)
        return []


setup(ext_modules=extensions())
