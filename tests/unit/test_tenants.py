from __future__ import annotations

import pytest

from segment_bridge.errors import ConfigurationError
from segment_bridge.tenants import TOOLCHAIN, Tenants

SPACE = ("toolchain.dev.openshift.com/space",)
SELECTOR = "is not KEY=VALUE or KEY, as Kubernetes has them: correct it"
KEY = "is not the key of a label, as Kubernetes has them: correct it"


@pytest.mark.parametrize(
    "selector",
    [
        "toolchain.dev.openshift.com/type=tenant",
        "konflux-ci.dev/type=tenant",
        "tenant",
        "tenant=",
        "Team_1.a=B-2_c.D",
        f"{'a' * 253}/{'n' * 63}={'v' * 63}",
    ],
)
def test_selectors(selector: str) -> None:
    assert Tenants((selector,)) == Tenants((selector,), SPACE)


@pytest.mark.parametrize(
    "selector",
    [
        "",
        " ",
        "=tenant",
        "a=b=c",
        "a==b",
        "a!=b",
        "!a",
        "a in (b,c)",
        "a=b,c=d",
        "a=b ",
        "a=b\n",
        "-a=b",
        "a=-b",
        "a/b/c=d",
        "/a=b",
        "Prefix/a=b",
        "a..b/c=d",
        "ä=b",
        f"{'a' * 254}/n=v",
        f"{'n' * 64}=v",
        f"n={'v' * 64}",
        "a&limit=1",
    ],
)
def test_what_is_no_selector(selector: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Tenants(("ok=yes", selector))
    assert str(caught.value) == f"tenant_selectors: value 2 {SELECTOR}"


@pytest.mark.parametrize("key", ["", "a=b", "a/", "a b", "x" * 64])
def test_what_is_no_space_label(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Tenants(space_labels=(key,))
    assert str(caught.value) == f"space_labels: value 1 {KEY}"


def test_neither_none_nor_too_many() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Tenants(())
    assert str(caught.value) == "tenant_selectors is empty: give at least one value, or leave it out for the default"
    with pytest.raises(ConfigurationError) as caught:
        Tenants(space_labels=("a",) * 11)
    assert str(caught.value) == "space_labels has 11 values: give at most 10"


def test_how_they_are_told() -> None:
    assert str(TOOLCHAIN) == "namespaces with the label toolchain.dev.openshift.com/type=tenant"
    assert str(Tenants(("a=b", "c"))) == "namespaces with one of the labels a=b, c"
