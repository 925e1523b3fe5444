"""GPU instance types, as settings and preflight know them: the table stands with the components that start them."""

from components.instance_types import GPU_TYPES, Gpu, looks_like_gpu

__all__ = ["GPU_TYPES", "Gpu", "looks_like_gpu"]
