"""Compiles a pipeline offline: `pipelines/<name>/flow.py` to committed Argo objects and a code package.

sources.py finds what the flow imports and lays it out in a folder; child.py lets Metaflow translate the flow there, in
a process with an environment of its own; archive.py packs the code; shape.py turns Metaflow's template into ours;
compiler.py is the order of it; compiled.py reads the result and is all that the program needs.
"""

from pipelines.compile.compiled import CompiledPipeline, Package, package_asset_path, read_compiled, require_package
from pipelines.compile.compiler import compile_pipeline, stale

__all__ = [
    "CompiledPipeline",
    "Package",
    "compile_pipeline",
    "package_asset_path",
    "read_compiled",
    "require_package",
    "stale",
]
