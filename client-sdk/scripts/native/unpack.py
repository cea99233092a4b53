"""Takes TensorFlow's C libraries and the headers of its C interface out of a wheel: unpack.py WHEEL FOLDER"""

import shutil
import sys
import zipfile
from pathlib import Path

LIBRARIES = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
INCLUDE = "tensorflow/include/"
# What tensorflow/c includes; the whole tree is 13,000 files.
HEADERS = ("tensorflow/c/", "tensorflow/core/platform/", "tsl/", "xla/tsl/")

wheel, folder = sys.argv[1:]
left = set(LIBRARIES)
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        name = entry.filename
        if name in LIBRARIES:
            target = Path(folder, "lib", Path(name).name)
            left.remove(name)
        elif name.startswith(tuple(INCLUDE + header for header in HEADERS)) and not entry.is_dir():
            target = Path(folder, "include", name[len(INCLUDE) :])
        else:
            continue
        if ".." in target.parts:
            sys.exit(f"{name} leaves the folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        # zipfile checks the CRC while the stream is copied.
        with archive.open(entry) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
if left:
    sys.exit(f"the wheel lacks {', '.join(sorted(left))}")
