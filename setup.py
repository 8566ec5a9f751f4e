"""Build the optional compiled parts; everything else about the package is in setup.cfg."""
from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = Path("osip/core/_accel")
# recvmmsg and sendmmsg are Linux; elsewhere, and without a compiler or Cython, osip runs in pure Python.
LEAVES = [Extension(f"osip.core._accel.{name}", [str(FOLDER / f"{name}.pyx")],
                    depends=[str(FOLDER / depended) for depended in depends],
                    include_dirs=[str(FOLDER)], extra_compile_args=["-O2", "-fno-strict-aliasing"])
          for name, depends in (("leaf", ("digest.h", "scan.h", "slot.h", "scan.pxd")), ("datagram", ()),
                              ("memory", ("arena.h",)))]
COMPILED = runpy.run_path("osip/_compiled.py")
GROUP = "osip.core._accel.hot"
"""What mypyc makes of the modules of osip/_compiled.py: one library, `hot__mypyc`, and a stub for each module."""
MYPY = ["--follow-imports=silent", "--ignore-missing-imports", "--disable-error-code=arg-type",
        "--disable-error-code=attr-defined", "--disable-error-code=unused-ignore"]
HIDDEN = ["-fvisibility=hidden", "-fno-plt"]
"""Nothing outside calls what is compiled by its name: calls within the library then need no table of addresses."""

SOURCES: list[str] = []
"""The digest of what mypyc was given; empty when it was given nothing or could not do it."""


def leaves() -> list[Extension]:
    """Return what Cython makes of the leaves."""
    from Cython.Build import cythonize

    found: list[Extension] = cythonize(LEAVES, language_level=3)
    return found


def modules() -> list[Extension]:
    """Return what mypyc makes of the hot modules; OSIP_OPTIMIZE is the compiler's level of optimization (2)."""
    from mypyc.build import mypycify

    files = [name.replace(".", "/") + ".py" for name in COMPILED["MODULES"]]
    now = COMPILED["digest"](Path("osip"))              # they may change while they are compiled
    found: list[Extension] = mypycify([*MYPY, *files], opt_level=os.environ.get("OSIP_OPTIMIZE", "2"), debug_level="0",
                                      group_name=GROUP)
    for extension in found:
        extension.extra_compile_args = [*extension.extra_compile_args, *HIDDEN]    # mypyc gives them all one list
    SOURCES.append(now)
    return found


def extensions() -> list[Extension]:
    """Return what can be built here: nothing when it is not Linux, or of what a compiler is missing or cannot do it."""
    found = []
    # pip asks for the metadata first, twice; compiling for that would take as long as the build itself.
    is_wanted = sys.platform.startswith("linux") and not {"egg_info", "dist_info"} & set(sys.argv)
    for make in (leaves, modules) if is_wanted else ():
        try:
            found += make()
        except (Exception, SystemExit) as error:        # a build without them is better than none
            print(f"osip: building without compiled {make.__name__}: {error}", file=sys.stderr)
    for extension in found:
        extension.optional = True
    return found


class Build(build_ext):
    """Build, and write down which sources the compiled modules are made from (osip/_compiled.py reads it)."""

    def run(self) -> None:
        """Build all extensions."""
        super().run()
        for library in {Path(self.get_ext_fullpath(GROUP + "__mypyc")), *FOLDER.glob("hot__mypyc*.so")}:
            told = library.parents[2] / COMPILED["DIGEST"]
            if not SOURCES:                             # what lies there is of other sources
                told.unlink(missing_ok=True)
            elif library.exists():
                told.write_text(SOURCES[-1])


setup(ext_modules=extensions(), cmdclass={"build_ext": Build})
