"""What a destroy does to data, and that less than protection is never silent."""

import pulumi
import pytest

from components.retention import PROTECTED, Retention, RetentionMode


@pytest.fixture
def parent(mocker):
    return mocker.create_autospec(pulumi.Resource, instance=True)


@pytest.mark.parametrize(
    ("mode", "protect", "retain"),
    [
        (RetentionMode.PROTECTED, True, True),
        (RetentionMode.RETAINED, None, True),
        (RetentionMode.DISPOSABLE, None, None),
    ],
)
def test_each_mode_protects_and_retains_as_it_says(mode, protect, retain, parent):
    reason = "" if mode is RetentionMode.PROTECTED else "example data only"
    options = Retention(mode=mode, reason=reason).options(parent)
    assert options.parent is parent
    assert (options.protect, options.retain_on_delete) == (protect, retain)


def test_protection_is_the_default_and_shows_no_tag():
    assert Retention() == PROTECTED
    assert PROTECTED.mode is RetentionMode.PROTECTED
    assert PROTECTED.tags() == {}


def test_a_loosened_retention_shows_mode_and_reason_as_a_tag():
    loosened = Retention(mode=RetentionMode.RETAINED, reason="protection is none")
    assert loosened.tags() == {"stackyard:loosened": "retained: protection is none"}


@pytest.mark.parametrize("mode", [RetentionMode.RETAINED, RetentionMode.DISPOSABLE])
@pytest.mark.parametrize("reason", ["", "   "])
def test_loosening_without_a_reason_is_refused(mode, reason):
    with pytest.raises(ValueError, match="needs a reason"):
        Retention(mode=mode, reason=reason)


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 201, "naïve", "a;b"])
def test_a_reason_that_no_tag_can_hold_is_refused(reason):
    with pytest.raises(ValueError, match="cannot be a tag value"):
        Retention(mode=RetentionMode.RETAINED, reason=reason)


def test_protected_data_takes_no_reason():
    with pytest.raises(ValueError, match="takes no reason"):
        Retention(reason="because")
