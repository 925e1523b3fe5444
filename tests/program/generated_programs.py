"""Programs made up by hypothesis, the cloud in memory that they are carried out in, and a run of one in the other.

A program is a tuple of `Entry`. Entries are known by their slot: the entry of a slot in a head program is what became
of the same slot in the base program, renamed, retyped, moved, with or without the aliases that say so.
Types: `Box` is a component, `Item` a plain resource, `Named` has a physical name that the provider makes up unless the
program fixes it. `zone` and `target` force a replacement, as do `name` and a provider's `region`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from stackyard.errors import UserError
from stackyard.program import naming
from stackyard.program.decide import Forces
from stackyard.program.deployment import PROVIDER_PREFIX, STACK_TYPE, Deployment, Resource, make_urn
from stackyard.program.evaluation import Evaluation, Step
from stackyard.program.executor import Done
from stackyard.program.registration import AliasSpec
from stackyard.program.values import UNKNOWN, Secret, Value

PROJECT, STACK = "made", "dev"
PROVIDER = f"{PROVIDER_PREFIX}made"
BOX, OLD_BOX = "made:index:Box", "made:index:OldBox"
ITEM, OLD_ITEM, NAMED = "made:index:Item", "made:index:OldItem", "made:index:Named"
FORCING = {PROVIDER: ("region",), NAMED: ("name", "zone", "target")}
DEFAULT_PROVIDER = make_urn(PROJECT, STACK, PROVIDER, "default")
STACK_URN = make_urn(PROJECT, STACK, STACK_TYPE, f"{PROJECT}-{STACK}")


def forces(type_: str) -> Forces:
    return Forces(paths=FORCING.get(type_, ("zone", "target")))


@dataclass(frozen=True, kw_only=True, repr=False)
class Entry:
    """One registration of a program. Other entries are named by their slot."""

    slot: int
    type: str = ITEM
    name: str = ""
    stem: str = "n"
    nested: bool = False
    """Named after its parent, with `stem` otherwise."""
    parent: int | None = None
    provider: int | None = None
    """None: the default provider."""
    zone: str = "a"
    size: int = 1
    secret: bool = False
    """Whether `size` is a secret."""
    layout: tuple[int, ...] = (0,)
    """Becomes `config.parts`, beside `config.size`."""
    fixed: str = ""
    """Of a `Named`: end of its physical name, after `owner`; empty: the provider makes a name up."""
    owner: str = ""
    """Start of the physical name, different for entries that are different things to the engine."""
    target: int | None = None
    """Whose arn goes into an input that forces a replacement; the cloud keeps a target alive."""
    link: int | None = None
    """Whose arn goes into an input that is updated."""
    after: tuple[int, ...] = ()
    """Mere `dependsOn`."""
    deleted_with: int | None = None
    protect: bool = False
    retain: bool = False
    delete_first: bool | None = None
    ignore: tuple[str, ...] = ()
    replace_on: tuple[str, ...] = ()
    aliases: tuple[AliasSpec, ...] = ()

    def __repr__(self) -> str:
        told = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}
        return f"Entry({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis would print every field of a dataclass.
        printer.text(repr(self))

    @property
    def custom(self) -> bool:
        return self.type not in (BOX, OLD_BOX)

    def needs(self) -> set[int]:
        named = (self.parent, self.provider, self.target, self.link, self.deleted_with, *self.after)
        return {slot for slot in named if slot is not None}


Program = tuple[Entry, ...]


def urns(program: Program) -> dict[int, str]:
    """URNs by slot."""
    found: dict[int, str] = {}
    for entry in program:
        parent = found[entry.parent] if entry.parent is not None else ""
        found[entry.slot] = make_urn(PROJECT, STACK, entry.type, entry.name, parent)
    return found


@dataclass(frozen=True)
class Thing:
    """An object of the cloud."""

    id: str
    type: str
    inputs: Mapping[str, Value]
    region: str = ""
    """Where the provider that made it had its region. Only a replacement moves it."""

    @property
    def target(self) -> str:
        return str(self.inputs.get("target", "")).removeprefix("arn:")


class CallFailed(UserError):
    """A call that was made to fail. Nothing happened."""


@dataclass
class Cloud:
    """Creates, updates and deletes objects in memory, and refuses what a provider would refuse."""

    planning = False
    asks_provider = False
    things: dict[str, Thing] = field(default_factory=dict)
    made: int = 0
    calls: int = 0
    failing: int | None = None
    """Number of the call that fails, counted from 1."""

    def copy(self, failing: int | None = None) -> "Cloud":
        return Cloud(things=dict(self.things), made=self.made, failing=failing)

    def create(self, goal: Resource, attempt: str = "") -> Done:
        self._count()
        name = goal.inputs.get("name")
        if name and any(t.type == goal.type and t.inputs.get("name") == name for t in self.things.values()):
            raise UserError(f"there is already a {goal.type} named {name}")
        self.made += 1
        thing = Thing(id=f"i-{self.made}", type=goal.type, inputs=goal.inputs, region=self.region_of(goal))
        self._refuse_a_target_that_is_gone(thing)
        self.things[thing.id] = thing
        return _done(thing)

    def update(self, prior: Resource, goal: Resource, attempt: str = "") -> Done:
        self._count()
        old = self._existing(prior.id)
        forcing = {key for key in forces(goal.type).paths if old.inputs.get(key) != goal.inputs.get(key)}
        if (old.type != goal.type and {old.type, goal.type} != {ITEM, OLD_ITEM}) or forcing:
            raise UserError(f"{prior.id} cannot change its {sorted(forcing) or 'type'} in place")
        thing = self.things[prior.id] = replace(old, type=goal.type, inputs=goal.inputs)
        self._refuse_a_target_that_is_gone(thing)
        return _done(thing)

    def delete(self, resource: Resource, attempt: str = "") -> None:
        self._count()
        self._existing(resource.id)
        users = [thing.id for thing in self.things.values() if thing.target == resource.id]
        if users:
            raise UserError(f"{resource.id} is in use by {users}")
        del self.things[resource.id]

    def region_of(self, resource: Resource) -> str:
        """The region of a resource's provider as it is now."""
        if resource.type == PROVIDER:
            return ""
        return str(self._existing(resource.provider.rsplit("::", 1)[1]).inputs.get("region", ""))

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.failing:
            raise CallFailed(f"call {self.calls} failed")

    def _existing(self, id_: str) -> Thing:
        if id_ not in self.things:
            raise UserError(f"there is no {id_!r}")
        return self.things[id_]

    def _refuse_a_target_that_is_gone(self, thing: Thing) -> None:
        if thing.target and thing.target not in self.things:
            raise UserError(f"{thing.id} would refer to {thing.target}, which is gone")


def _done(thing: Thing) -> Done:
    return Done(id=thing.id, outputs={**thing.inputs, "arn": f"arn:{thing.id}"})


@dataclass(frozen=True)
class Run:
    after: Deployment
    steps: tuple[Step, ...]
    in_program: int
    """How many of the steps came before the program's end."""
    failures: tuple[str, ...]
    prior: Deployment | None

    def done(self, *ops: str) -> list[Step]:
        return [step for step in self.steps if step.phase == "done" and step.op in ops]

    def deleted_last(self) -> list[Resource]:
        """What went after the program's end, in the order in which it went."""
        ended = self.steps[self.in_program :]
        return [s.resource for s in ended if s.phase == "done" and s.op in ("delete", "delete-replaced")]

    def retained(self) -> set[str]:
        """Ids of what was only forgotten."""
        gone = self.done("delete", "delete-replaced")
        return {step.resource.id for step in gone if step.resource.retain_on_delete}


def run(program: Program, cloud: Cloud, prior: Deployment | None = None) -> Run:
    """Registers a program as the SDK would, one registration at a time."""
    steps: list[Step] = []
    ours = Evaluation(project=PROJECT, stack=STACK, executor=cloud, prior=prior, forces=forces, observe=steps.append)
    ours.register(Resource(urn=STACK_URN, type=STACK_TYPE, name=f"{PROJECT}-{STACK}", custom=False), ())
    results: dict[int, Resource | None] = {}
    known = urns(program)
    default: Resource | None = None
    if any(entry.custom and entry.type != PROVIDER and entry.provider is None for entry in program):
        default = ours.register(Resource(urn=DEFAULT_PROVIDER, type=PROVIDER, name="default", inputs={}), ())
    for entry in program:
        result = results[entry.slot] = ours.register(_goal(entry, known, results, default), entry.aliases)
        if result and not result.custom:
            ours.register_outputs(result.urn, {"size": entry.size})
    ours.register_outputs(STACK_URN, {"sizes": [entry.size for entry in program]})
    in_program = len(steps)
    ours.finish()
    return Run(ours.result(), tuple(steps), in_program, tuple(ours.failures), prior)


def _goal(
    entry: Entry, known: Mapping[int, str], results: Mapping[int, Resource | None], default: Resource | None
) -> Resource:
    property_dependencies = {
        key: (known[slot],) for key, slot in (("link", entry.link), ("target", entry.target)) if slot is not None
    }
    through = {urn for used in property_dependencies.values() for urn in used}
    return Resource(
        urn=known[entry.slot],
        type=entry.type,
        name=entry.name,
        custom=entry.custom,
        inputs=_inputs(entry, results),
        parent=STACK_URN if entry.parent is None else known[entry.parent],
        provider=_provider(entry, known, results, default),
        dependencies=tuple(sorted(through | {known[slot] for slot in entry.after})),
        property_dependencies=property_dependencies,
        protect=entry.protect,
        retain_on_delete=entry.retain,
        delete_before_replace=entry.delete_first,
        deleted_with=known[entry.deleted_with] if entry.deleted_with is not None else "",
        ignore_changes=entry.ignore,
        replace_on_changes=entry.replace_on,
    )


def _inputs(entry: Entry, results: Mapping[int, Resource | None]) -> dict[str, Value]:
    if entry.type == PROVIDER:
        return {"region": entry.zone, "retries": entry.size}
    inputs: dict[str, Any] = {
        "config": {"parts": list(entry.layout), "size": entry.size},
        "size": Secret(entry.size) if entry.secret else entry.size,
        "zone": entry.zone,
    }
    if entry.fixed and entry.type == NAMED:
        inputs["name"] = f"{entry.owner}-{entry.fixed}"
    for key, slot in (("link", entry.link), ("target", entry.target)):
        if slot is not None:
            used = results[slot]
            inputs[key] = used.outputs["arn"] if used else UNKNOWN
    return dict(sorted(inputs.items()))


def _provider(
    entry: Entry, known: Mapping[int, str], results: Mapping[int, Resource | None], default: Resource | None
) -> str:
    if not entry.custom or entry.type == PROVIDER:
        return ""
    urn = DEFAULT_PROVIDER if entry.provider is None else known[entry.provider]
    used = default if entry.provider is None else results[entry.provider]
    return f"{urn}::{used.id if used else 'unknown'}"


@contextmanager
def made_up_names() -> Iterator[None]:
    """Lets the provider make up names for `Named`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(naming.RULES, NAMED, naming.Rule("name", 60))  # pyright: ignore[reportArgumentType]  a dict
        yield
