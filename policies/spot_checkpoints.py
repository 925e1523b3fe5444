"""Steps on spot nodes that would lose their work: AWS takes such a node back with two minutes' notice."""

from collections.abc import Iterable, Iterator, Sequence

from components.capacity import INTERRUPTIBLE, Capacity
from pipelines.declaration import PipelineDeclaration, Resources
from policies.finding import Finding
from stacks.sections.pools import NodePool

RULE = "spot-without-checkpoint"


def spot_without_checkpoint(pipelines: Iterable[PipelineDeclaration], pools: Sequence[NodePool]) -> list[Finding]:
    """One finding for each pipeline and pool. `pipelines` are those that the stack deploys, `pools` its settings'.

    Steps with GPUs may run in every pool with GPUs, the others in every pool without. Where on-demand nodes stand in
    for spot, a step without GPUs starts again there at once and loses little: only those with GPUs are found then.
    """
    return [finding for pipeline in pipelines for pool in pools for finding in _of(pipeline, pool)]


def _of(pipeline: PipelineDeclaration, pool: NodePool) -> Iterator[Finding]:
    steps = [name for name, resources in _steps(pipeline) if _may_lose(resources, pool)]
    if steps:
        named = ", ".join(steps)
        yield Finding(
            rule=RULE,
            subject=f"pipeline {pipeline.name}",
            sentence=f"Pool {pool.name} has capacity {pool.capacity}, and {named} of pipeline {pipeline.name} may run "
            "there without a checkpoint: when AWS takes the node, the step starts again from nothing. Save progress "
            "and declare checkpoint=True in its Resources, or give the pool capacity on_demand.",
        )


def _steps(pipeline: PipelineDeclaration) -> Iterator[tuple[str, Resources]]:
    for name, resources in sorted(pipeline.step_resources.items()):
        yield f"step {name}", resources
    yield "every step without resources of its own", pipeline.resources


def _may_lose(resources: Resources, pool: NodePool) -> bool:
    if resources.checkpoint or bool(resources.gpu) != (pool.gpu is not None):
        return False
    return pool.capacity in (INTERRUPTIBLE if resources.gpu else {Capacity.SPOT})
