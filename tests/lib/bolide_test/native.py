"""Programs in C that tests use beside the server: made with the system's compiler when asked for."""

import glob
import os
import shutil
import subprocess

from .procs import ROOT, temp_dir
from .tap import Skip

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes"]
_built = {}


def build(name, folder, *more, leave_out=()):
    """The program of all C files in tests/lib/FOLDER (and `more` paths below tests/lib)."""
    if name in _built:
        return _built[name]
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Skip("no C compiler")
    lib = os.path.join(ROOT, "tests", "lib")
    sources = [p for p in sorted(glob.glob(os.path.join(lib, folder, "*.c")))
               if os.path.basename(p) not in leave_out]
    sources += [os.path.join(lib, p) for p in more]
    path = os.path.join(temp_dir(), name)
    done = subprocess.run([compiler, *FLAGS, "-I", lib, "-o", path, *sources], timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise AssertionError("%s does not compile:\n%s" % (name, done.stdout.decode()[-3000:]))
    _built[name] = path
    return path
