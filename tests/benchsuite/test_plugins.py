"""The plugin host: entry points built by hand, so that every way to fail can be had."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from benchsuite.contract import CONTRACT_VERSION, accepts
from benchsuite.errors import PluginError, UsageError
from benchsuite.hookspecs import hookimpl
from benchsuite.plugins import load_registry
from benchsuite.specs import FormatSpec, ModelSpec, load


class _Distribution:
    def __init__(self, name: str, version: str = "1.0") -> None:
        self.name, self.version = name, version


@pytest.fixture
def entry(monkeypatch):
    """Make an entry point of a module with the given attributes."""

    def make(name: str, distribution: str | None = None, **attributes: object) -> EntryPoint:
        module = ModuleType(f"plugin_{name}")
        for key, value in attributes.items():
            setattr(module, key, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        made = EntryPoint(name, module.__name__, "benchsuite")
        vars(made)["dist"] = _Distribution(distribution or f"{name}-dist")
        return made

    return make


def models(*specs: object):
    @hookimpl
    def benchsuite_models():
        return list(specs)

    return benchsuite_models


def spec(name: str) -> ModelSpec:
    return ModelSpec(name, tasks=("bbox",), factory="json:loads")


def test_a_plugin_is_found_with_its_distribution(entry):
    registry = load_registry([entry("mine", "mine-pkg", benchsuite_models=models(spec("m")))])
    assert registry.models["m"].factory == "json:loads"
    assert registry.origins["models", "m"] == "mine-pkg"
    assert registry.failures == []


def test_an_import_error_is_listed_and_breaks_nothing(entry):
    missing = EntryPoint("gone", "a_module_that_is_not_there", "benchsuite")
    vars(missing)["dist"] = _Distribution("gone-pkg", "2.0")
    registry = load_registry([missing, entry("good", benchsuite_models=models(spec("m")))])
    assert "m" in registry.models
    [failure] = registry.failures
    assert (failure.distribution, failure.version) == ("gone-pkg", "2.0")
    assert "a_module_that_is_not_there" in failure.error


def test_a_run_that_needs_a_broken_plugin_fails_with_its_error(entry):
    missing = EntryPoint("gone", "a_module_that_is_not_there", "benchsuite")
    vars(missing)["dist"] = _Distribution("gone-pkg")
    registry = load_registry([missing])
    with pytest.raises(PluginError, match="a_module_that_is_not_there"):
        registry.find("models", "gone")
    with pytest.raises(PluginError, match="a_module_that_is_not_there"):
        registry.find("models", "gone_pkg")


def test_a_hook_that_raises_leaves_the_plugins_other_hooks(entry):
    @hookimpl
    def benchsuite_metrics():
        raise RuntimeError("metrics are hard")

    registry = load_registry(
        [entry("half", benchsuite_models=models(spec("m")), benchsuite_metrics=benchsuite_metrics)]
    )
    assert "m" in registry.models
    assert "metrics are hard" in registry.failures[0].error


@pytest.mark.parametrize(
    ("rubbish", "message"),
    [
        ("text", "returned a str"),
        (ModelSpec("", tasks=("bbox",), factory="a:b"), "not a usable name"),
        (ModelSpec("a/b", tasks=("bbox",), factory="a:b"), "not a usable name"),
        (ModelSpec("m", tasks=("bbox",), factory="no_colon"), "package.module:attribute"),
        (ModelSpec("m", tasks=("telepathy",), factory="a:b"), "telepathy"),
        (ModelSpec("m", tasks="bbox", factory="a:b"), "bbox"),  # type: ignore[arg-type]
    ],
)
def test_rubbish_is_refused_and_its_neighbour_kept(entry, rubbish, message):
    registry = load_registry([entry("p", benchsuite_models=models(rubbish, spec("good")))])
    assert set(registry.models) == {"good"}
    assert message in registry.failures[0].error


def test_a_hook_must_return_a_list(entry):
    @hookimpl
    def benchsuite_models():
        return spec("alone")

    registry = load_registry([entry("p", benchsuite_models=benchsuite_models)])
    assert "not a list" in registry.failures[0].error


def test_ours_keeps_a_contested_name_whatever_the_order(entry):
    stranger = entry("a", "aaa", benchsuite_models=models(spec("mask_rcnn")))
    ours = entry("reference", "benchsuite", benchsuite_models=models(spec("mask_rcnn")))
    for order in ([stranger, ours], [ours, stranger]):
        registry = load_registry(order)
        assert registry.origins["models", "mask_rcnn"] == "benchsuite"
        [failure] = registry.failures
        assert failure.distribution == "aaa"
        assert "taken by benchsuite" in failure.error


def test_contract_versions():
    major, minor = CONTRACT_VERSION
    assert accepts((major, minor))
    assert accepts((major, 0))
    assert not accepts((major, minor + 1))
    assert not accepts((major + 1, 0))


@pytest.mark.parametrize("wanted", [(99, 0), (1, 99), "1.0", (1,), (1, 0, 0)])
def test_a_contract_the_host_does_not_have_is_listed(entry, wanted):
    registry = load_registry(
        [entry("p", BENCHSUITE_CONTRACT=wanted, benchsuite_models=models(spec("m")))]
    )
    assert registry.models == {}
    assert len(registry.failures) == 1


def test_disabling(entry):
    entries = [
        entry("reference", "benchsuite", benchsuite_models=models(spec("ours"))),
        entry("a", "pkg-a", benchsuite_models=models(spec("a"))),
        entry("b", "pkg-b", benchsuite_models=models(spec("b"))),
    ]
    assert set(load_registry(entries, "a").models) == {"ours", "b"}
    assert set(load_registry(entries, "PKG-A, b").models) == {"ours"}
    assert set(load_registry(entries, "all").models) == {"ours"}
    assert set(load_registry(entries, "reference").models) == {"a", "b"}


def test_an_unknown_name_suggests_the_nearest(entry):
    registry = load_registry([entry("p", benchsuite_models=models(spec("mask_rcnn")))])
    with pytest.raises(UsageError, match="did you mean mask_rcnn"):
        registry.find("models", "mask_rnn")


def test_load_takes_nested_attributes_and_refuses_other_forms():
    assert load("json:JSONDecoder.decode").__name__ == "decode"
    with pytest.raises(ValueError, match=r"package\.module:attribute"):
        load("json.loads")


def formats(*specs: object):
    @hookimpl
    def benchsuite_formats():
        return list(specs)

    return benchsuite_formats


def test_a_format_is_found(entry):
    spec = FormatSpec("mine", recognises="os.path:exists", read_truth="json:loads")
    registry = load_registry([entry("mine", benchsuite_formats=formats(spec))])
    assert registry.formats == {"mine": spec}


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (FormatSpec("f", recognises="os.path:exists"), "'f' neither reads nor writes anything"),
        (FormatSpec("f", recognises="exists", read_truth="json:loads"), "'exists' is not of the"),
        (FormatSpec("f", recognises="os.path:exists", write_truth="dumps"), "'dumps' is not of"),
    ],
)
def test_a_format_that_is_of_no_use_is_refused(entry, spec, problem):
    registry = load_registry([entry("mine", benchsuite_formats=formats(spec))])
    assert registry.formats == {}
    assert problem in registry.failures[0].error
