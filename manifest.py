"""For frozen builds: include this file from the manifest of a MicroPython firmware."""

metadata(  # noqa: F821  the build system's own names
    description="Is the cluster ready to proceed? A tiny bootstrap machine.",
    version="0.1.0",
    license="MIT",
    author="The faction authors",
)
package("faction")  # noqa: F821
