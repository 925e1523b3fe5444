"""The order of deletes: nothing goes before what needs it."""

from stackyard.program.condemned import delete_layers, needed_by
from stackyard.program.deployment import Resource, make_urn


def topic(name, *dependencies, **options) -> Resource:
    urn = make_urn("p", "s", "aws:sns/topic:Topic", name)
    needed = tuple(resource.urn for resource in dependencies)
    return Resource(urn=urn, type="aws:sns/topic:Topic", name=name, dependencies=needed, **options)


PROVIDER = Resource(urn=make_urn("p", "s", "pulumi:providers:aws", "p"), type="pulumi:providers:aws", name="p")


def names(layers):
    return [[resource.name for resource in layer] for layer in layers]


def test_dependents_are_deleted_first_and_providers_last():
    one = topic("one", provider=f"{PROVIDER.urn}::id")
    two = topic("two", one, provider=f"{PROVIDER.urn}::id")
    other = topic("other", provider=f"{PROVIDER.urn}::id")
    assert names(delete_layers([PROVIDER, one, two, other])) == [["two"], ["other", "one"], ["p"]]


def test_the_order_in_which_a_state_lists_them_does_not_matter():
    one = topic("one")
    two = topic("two", one)
    assert names(delete_layers([two, one])) == names(delete_layers([one, two])) == [["two"], ["one"]]


def test_children_go_before_their_parents_and_before_what_contains_them():
    parent, container = topic("parent"), topic("container")
    child = topic("child", parent=parent.urn, deleted_with=container.urn)
    assert names(delete_layers([parent, container, child])) == [["child"], ["container", "parent"]]


def test_a_replaced_resource_waits_for_what_the_program_dropped():
    replaced = topic("replaced", id="old")
    dropped = topic("dropped", replaced)
    replaced_before = topic("replaced", id="older")
    assert names(delete_layers([replaced, dropped, replaced_before])) == [["dropped"], ["replaced", "replaced"]]


def test_resources_that_need_each_other_end_together():
    one = topic("one", Resource(urn=make_urn("p", "s", "aws:sns/topic:Topic", "two"), type="", name=""))
    two = topic("two", one)
    assert names(delete_layers([one, two])) == [["two", "one"]]


def test_what_a_failed_delete_still_needs_is_found_through_others():
    base = topic("base")
    middle = topic("middle", base)
    failed = topic("failed", middle)
    assert needed_by(failed, [base, middle, failed, topic("other")]) == {base.urn, middle.urn}
