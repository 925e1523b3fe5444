"""Which dependents are deleted together with what is deleted before its replacement."""

from stackyard.program.decide import Forces
from stackyard.program.dependents import Dependents
from stackyard.program.deployment import PROVIDER_PREFIX, Resource, make_urn


def resource(name: str, *, on: dict[str, str] | None = None, type_: str = "t:m:T", **fields) -> Resource:
    """`on`: the resource that each input comes from."""
    dependencies = {key: (urn(other),) for key, other in (on or {}).items()}
    return Resource(
        urn=make_urn("p", "s", type_, name), type=type_, name=name, property_dependencies=dependencies, **fields
    )


def urn(name: str) -> str:
    return make_urn("p", "s", "t:m:T", name)


def going(root: Resource, *prior: Resource, forcing: tuple[str, ...] = ("bucket",)) -> list[str]:
    found = Dependents((root, *prior), lambda type_: Forces(paths=forcing)).replaced_with(root)
    return [resource.name for resource in found]


ROOT = resource("root")


def test_what_takes_a_forcing_input_from_it_goes_and_so_on_the_last_first():
    prior = (resource("a", on={"bucket": "root"}), resource("b", on={"bucket": "a"}), resource("c"))
    assert going(ROOT, *prior) == ["b", "a"]


def test_an_input_that_forces_nothing_and_a_mere_depends_on_do_not_count():
    others = (resource("a", on={"tags": "root"}), resource("b", dependencies=(ROOT.urn,)))
    assert going(ROOT, *others) == []
    assert going(ROOT, *others, forcing=("tags.owner",)) == ["a"], "a path below an input names that input"


def test_replace_on_changes_forces_as_the_provider_does():
    assert going(ROOT, resource("a", on={"tags": "root"}, replace_on_changes=("tags",))) == ["a"]
    assert going(ROOT, resource("a", on={"tags": "root"}, replace_on_changes=("*",))) == ["a"]


def test_everything_of_a_provider_goes_with_it_components_and_what_is_only_read_excepted():
    provider = resource("aws", type_=f"{PROVIDER_PREFIX}aws")
    reference = f"{provider.urn}::id"
    prior = (
        resource("a", provider=reference),
        resource("b", provider=reference, custom=False),
        resource("c", provider=reference, external=True),
        resource("d", on={"bucket": "a"}),
        resource("e", provider=f"{provider.urn}-other::id"),
    )
    assert going(provider, *prior) == ["d", "a"]


def test_resources_that_need_each_other_end_the_search():
    assert going(ROOT, resource("a", on={"bucket": "b"}), resource("b", on={"bucket": "a"})) == []
    circle = (resource("a", on={"bucket": "root"}), resource("b", on={"bucket": "a"}))
    assert going(resource("root", on={"bucket": "b"}), *circle) == ["b", "a"]
