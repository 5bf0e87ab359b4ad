"""On MicroPython: the bytes of heap that an import takes: micropython heap.py MODULE."""

import gc
import sys

gc.collect()
before = gc.mem_alloc()
__import__(sys.argv[1])
gc.collect()
print(gc.mem_alloc() - before)
