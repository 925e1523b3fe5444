"""Compiles a pipeline offline: `pipelines/<name>/flow.py` to committed Argo objects and a code package.

sources.py finds what the flow imports and lays it out in a folder; child.py lets Metaflow translate the flow there, in
a process with an environment of its own; archive.py packs the code; shape.py turns Metaflow's template into ours.
"""

from pipelines.compile.compiler import CompiledPipeline, Package, compile_pipeline, read_compiled, require_package, stale

__all__ = ["CompiledPipeline", "Package", "compile_pipeline", "read_compiled", "require_package", "stale"]
