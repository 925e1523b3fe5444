"""A step that would lose its work on a spot node is found; one that saves its progress is not."""

import pytest

from pipelines.declaration import PipelineDeclaration, Resources, declaration
from policies.spot_checkpoints import RULE, spot_without_checkpoint
from stacks.settings import parse
from tests.stacks.settings_cases import stack_sections, valid

GPU_STEP = Resources(gpu=1)


def pipeline(**steps: Resources) -> PipelineDeclaration:
    return PipelineDeclaration(name="training", description="Trains.", step_resources=steps)


def pools(*, general: str = "on_demand", gpu: str = "on_demand"):
    config = valid()
    config["nodePools"][0]["capacity"], config["nodePools"][1]["capacity"] = general, gpu
    return parse(config).node_pools


def found(declared: PipelineDeclaration, **capacities: str) -> list[str]:
    return [finding.sentence for finding in spot_without_checkpoint([declared], pools(**capacities))]


@pytest.mark.parametrize("capacity", ["spot", "spot_then_on_demand"])
def test_a_gpu_step_without_a_checkpoint_is_found_wherever_spot_may_run_it(capacity):
    (sentence,) = found(pipeline(train=GPU_STEP), gpu=capacity)
    assert sentence.startswith(f"Pool gpu has capacity {capacity}, and step train of pipeline training may run there")
    assert "declare checkpoint=True" in sentence, "the way out"


def test_a_step_that_saves_its_progress_is_not_found():
    assert found(pipeline(train=Resources(gpu=1, checkpoint=True)), gpu="spot") == []


def test_steps_without_gpus_are_found_where_nothing_stands_in_for_spot():
    (sentence,) = found(pipeline(train=Resources(cpu=4)), general="spot")
    assert "step train, every step without resources of its own of pipeline training" in sentence
    assert found(pipeline(train=Resources(cpu=4)), general="spot_then_on_demand") == []


def test_a_pool_that_no_step_uses_is_not_found():
    assert found(pipeline(), gpu="spot") == []


@pytest.mark.parametrize("capacity", ["on_demand", "reservation"])
def test_nodes_that_stay_lose_nothing(capacity):
    reserved = {"reservationIds": ["cr-0123456789abcdef0"]} if capacity == "reservation" else {}
    config = valid()
    config["nodePools"][0]["capacity"] = "on_demand"
    config["nodePools"][1] |= {"capacity": capacity, **reserved}
    assert spot_without_checkpoint([pipeline(train=GPU_STEP)], parse(config).node_pools) == []


def test_every_finding_names_its_rule_and_its_pipeline():
    (finding,) = spot_without_checkpoint([pipeline(train=GPU_STEP)], pools(gpu="spot"))
    assert (finding.rule, finding.subject) == (RULE, "pipeline training")


@pytest.mark.parametrize("stack", ["dev", "staging-platform", "prod-platform"])
def test_the_committed_environments_lose_no_work_on_spot(stack):
    settings = parse(stack_sections(stack), stack=stack)
    declared = [declaration(one.name) for one in settings.pipelines]
    assert spot_without_checkpoint(declared, settings.node_pools) == []


def test_a_checkpoint_is_no_part_of_the_compiled_form():
    assert pipeline(train=GPU_STEP).digest() == pipeline(train=Resources(gpu=1, checkpoint=True)).digest()
    assert pipeline(train=GPU_STEP).digest() != pipeline(train=Resources(gpu=2)).digest()
