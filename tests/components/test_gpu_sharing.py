"""How GPUs are shared: the device plugin's entry, the resource that pods ask for, and what cannot be."""

import pytest

from components.gpu_sharing import NOT_SHARED, GpuSharing, GpuSharingMode

SLICED = GpuSharing(mode=GpuSharingMode.TIME_SLICING, slices=4)
CUT = GpuSharing(mode=GpuSharingMode.MIG, mig_profile="1g.10gb")


@pytest.mark.parametrize(
    ("sharing", "entry", "resource"),
    [
        (NOT_SHARED, "default", "nvidia.com/gpu"),
        (SLICED, "timeslice-4", "nvidia.com/gpu.shared"),
        (CUT, "mig-1g.10gb", "nvidia.com/mig-1g.10gb"),
    ],
)
def test_each_way_has_an_entry_and_a_resource_of_its_own(sharing, entry, resource):
    assert (sharing.config_name, sharing.resource_name) == (entry, resource)


def test_two_numbers_of_slices_are_two_entries_of_one_resource():
    other = GpuSharing(mode=GpuSharingMode.TIME_SLICING, slices=8)
    assert other.config_name != SLICED.config_name
    assert other.resource_name == SLICED.resource_name


def test_only_whole_gpus_start_nodes_without_an_overlay():
    assert [sharing.needs_overlay for sharing in (NOT_SHARED, SLICED, CUT)] == [False, True, True]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"mode": GpuSharingMode.TIME_SLICING}, "slices is missing: sharing time_slicing needs it, for example 4"),
        ({"mode": GpuSharingMode.MIG}, "mig_profile is missing: sharing mig needs it, for example '1g.10gb'"),
        ({"slices": 4}, "slices 4 is given with sharing none"),
        ({"mode": GpuSharingMode.MIG, "mig_profile": "1g.10gb", "slices": 4}, "only time_slicing does"),
        ({"mode": GpuSharingMode.TIME_SLICING, "slices": 1}, "1 slices are not possible"),
        ({"mode": GpuSharingMode.TIME_SLICING, "slices": 49}, "49 slices are not possible"),
        ({"mode": GpuSharingMode.MIG, "mig_profile": "1g.5gb+me"}, "without a suffix"),
        ({"mode": GpuSharingMode.MIG, "mig_profile": "half"}, "MIG profile 'half'"),
    ],
)
def test_what_cannot_be_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence.replace("+", r"\+")):
        GpuSharing(**fields)
