"""Changes of programs that once went wrong, found by search or by reading the engine: tried every time."""

from dataclasses import replace

from stackyard.program.deployment import make_urn
from stackyard.program.registration import AliasSpec
from tests.program.generated_programs import BOX, NAMED, OLD_BOX, PROJECT, PROVIDER, STACK, Entry, Program
from tests.program.generated_strategies import Change


def entries(*given: Entry) -> Program:
    return given


PROVIDERS = entries(Entry(slot=0, type=PROVIDER, name="p"), Entry(slot=1, type=PROVIDER, name="q"))
MADE_UP_NAME_REPLACED = Change(
    entries(Entry(slot=0, type=NAMED, name="n0")), entries(Entry(slot=0, type=NAMED, name="n0", zone="b"))
)
PROVIDER_REPLACED = Change(
    (*PROVIDERS, Entry(slot=2, name="n2", provider=0)),
    (replace(PROVIDERS[0], zone="b"), PROVIDERS[1], Entry(slot=2, name="n2", provider=0)),
)
FORMER_PROVIDER_CHANGED = Change(
    (*PROVIDERS, Entry(slot=2, name="n2", provider=0)),
    (replace(PROVIDERS[0], zone="b"), replace(PROVIDERS[1], zone="b"), Entry(slot=2, name="n2", provider=1)),
)
FORMER_PROVIDER_DELETED_FIRST = Change(
    (*PROVIDERS, Entry(slot=2, name="n2", provider=0)),
    (PROVIDERS[1], Entry(slot=2, name="n2", provider=1), replace(PROVIDERS[0], zone="b", delete_first=True)),
)
OUT_OF_RENAMED_BOX = Change(
    entries(Entry(slot=0, type=BOX, name="n0"), Entry(slot=1, name="n1", parent=0)),
    entries(
        Entry(slot=0, type=OLD_BOX, name="n0", aliases=(AliasSpec(type=BOX),)),
        Entry(slot=1, name="n1", aliases=(AliasSpec(parent_urn=make_urn(PROJECT, STACK, OLD_BOX, "n0")),)),
    ),
)
IN_RENAMED_BOX = Change(
    OUT_OF_RENAMED_BOX.base, (OUT_OF_RENAMED_BOX.head[0], Entry(slot=1, name="n1", parent=0, size=2))
)
UNPROTECTED_AND_REPLACED = Change(
    entries(Entry(slot=0, name="n0", protect=True)), entries(Entry(slot=0, name="n0", zone="b"))
)
RENAMED_TARGET_REPLACED = Change(
    entries(Entry(slot=0, name="n0"), Entry(slot=1, name="n1", target=0)),
    entries(Entry(slot=0, name="m0", zone="b", aliases=(AliasSpec(name="n0"),)), Entry(slot=1, name="n1", target=0)),
)
