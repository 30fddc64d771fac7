"""The zoo's recipes, its index, and what reading a recipe refuses."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import benchsuite_zoo
from benchsuite import plugins
from benchsuite.errors import InputError, UsageError
from benchsuite.options import read_options
from benchsuite.specs import Category, RecipeSpec, load
from benchsuite_plugins import benchsuite_metrics
from benchsuite_zoo import recipes as module
from benchsuite_zoo import shipped
from benchsuite_zoo.build_index import index_text
from benchsuite_zoo.recipes import read_categories, read_recipe, recipe_names


def specs() -> dict[str, RecipeSpec]:
    return {spec.name: spec for spec in benchsuite_zoo.benchsuite_recipes()}


def test_the_index_is_what_the_recipes_say() -> None:
    text = benchsuite_zoo.INDEX.read_text(encoding="utf-8")
    assert text == index_text(), "run python -m benchsuite_zoo.build_index"
    assert set(specs()) == set(recipe_names())


def test_registering_parses_no_recipe_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, benchsuite_zoo; specs = benchsuite_zoo.benchsuite_recipes(); assert specs; "
        "heavy = {'tomllib', 'torch', 'numpy', 'pyarrow', 'pydantic', 'benchsuite_zoo.recipes'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_can_be_used(name: str) -> None:
    spec = specs()[name]
    body = load(spec.source)(name)
    assert body["name"] == name
    assert spec.licence and spec.summary and spec.tasks
    assert all(isinstance(category, Category) for category in body["categories"])
    weights = body.get("weights", {})
    assert spec.weights_url == weights.get("url", "")
    if "md5_prefix" in weights:
        assert weights["url"].endswith(f"_{weights['md5_prefix']}.pkl")
    if "sha256_prefix" in weights:
        assert weights["url"].endswith(f"-{weights['sha256_prefix']}.pth")
    if weights:
        assert {"md5_prefix", "sha256", "sha256_prefix"} & set(weights)
    tasks = {metric.value_prefix: metric.task for metric in benchsuite_metrics()}
    for value in spec.published:
        prefix = value.partition("/")[0]
        assert tasks.get(prefix, prefix) in spec.tasks


@pytest.mark.parametrize("name", recipe_names())
def test_its_options_are_options_of_its_model(name: str) -> None:
    from benchsuite_plugins import benchsuite_models

    models = {model.name: model for model in benchsuite_models()}
    body = read_recipe(name)
    options = models[body["model"]].options
    assert options is not None
    read_options(load(options), body.get("model_options", {}), "model")


def test_one_default_a_model_and_dataset() -> None:
    defaults = [(spec.model, spec.dataset) for spec in specs().values() if spec.default]
    assert len(set(defaults)) == len(defaults)
    both = {(spec.model, spec.dataset) for spec in specs().values()}
    assert set(defaults) == both, "a model's own name means some recipe on each of its datasets"


def test_every_base_and_list_of_categories_is_used() -> None:
    folder = module.FOLDER
    texts = [path.read_text() for path in folder.glob("*/*.toml")]
    used: set[str] = set()
    for text in texts:
        table = tomllib.loads(text)
        base = table.get("base", [])
        used |= {base} if isinstance(base, str) else set(base)
        used.add(table.get("categories", ""))
    kept = {path.stem for path in [*folder.glob("bases/*"), *folder.glob("categories/*")]}
    assert kept <= used


def test_coco_categories(shared_data: Path) -> None:
    file = shared_data / "coco_val2014_100" / "instances_val2014_100.json"
    listed = json.loads(file.read_text())["categories"]
    assert read_categories("coco") == tuple(Category(**entry) for entry in listed)
    assert len(read_categories("coco")) == 80


def test_categories_of_other_datasets(shared_data: Path) -> None:
    panoptic = shared_data / "panoptic_sample" / "panoptic_coco_categories.json"
    listed = [(each["id"], each["name"]) for each in json.loads(panoptic.read_text())]
    assert [(each.id, each.name) for each in read_categories("coco_panoptic")] == listed
    lvis = json.loads((shared_data / "lvis_val_100" / "lvis_val_100.json").read_text())
    names = {each["id"]: each["name"] for each in lvis["categories"]}
    assert {each.id: each.name for each in read_categories("lvis_v0.5")} == names
    counts = {
        "coco_panoptic": (80, 53),
        "coco_stuff": (0, 54),
        "coco_person": (1, 0),
        "lvis_v0.5": (1230, 0),
        "lvis_v1": (1203, 0),
        "cityscapes_things": (8, 0),
        "voc": (20, 0),
    }
    for name, (things, stuff) in counts.items():
        categories = read_categories(name)
        assert sum(each.isthing for each in categories) == things, name
        assert len(categories) == things + stuff, name
        assert [each.id for each in categories] == sorted({each.id for each in categories}), name


def test_shapes_categories_are_the_dataset_s_things() -> None:
    from benchsuite_plugins.datasets.shapes import CATEGORIES

    things = tuple(category for category in CATEGORIES if category.isthing)
    assert read_categories("shapes") == things


def test_later_bases_go_over_earlier_ones(zoo: Path) -> None:
    write(zoo, "bases/wide", "[model_options.rpn]\npre = 1\npost = 1\n")
    write(zoo, "bases/deep", 'tasks = ["bbox"]\n[model_options.rpn]\npre = 2\n')
    write(zoo, "recipes/own", 'base = ["family", "wide", "deep"]\n')
    recipe = read_recipe("own")
    assert (recipe["model"], recipe["tasks"]) == ("m", ("bbox",))
    assert recipe["model_options"] == {"rpn": {"pre": 2, "post": 1}}


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match="did you mean mask_rcnn_R_50_FPN_3x"):
        read_recipe("mask_rcnn_R50_FPN_3x")
    with pytest.raises(UsageError, match="unknown recipe"):
        read_recipe("../bases/detectron2")
    with pytest.raises(UsageError, match="did you mean coco"):
        read_categories("cocoo")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of its own; ``write(zoo, name, text)`` adds to it."""
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "bases").mkdir()
    write(tmp_path, "bases/family", 'model = "m"\ndataset = "d"\nlicence = "MIT"\nsummary = "s"\n')
    return tmp_path


def write(zoo: Path, name: str, text: str) -> None:
    (zoo / f"{name}.toml").write_text(text)


def test_inheritance_merges_tables(zoo: Path) -> None:
    write(
        zoo,
        "bases/small",
        'base = "family"\ntasks = ["bbox"]\n[model_options.rpn]\npre = 1\npost = 2\n',
    )
    write(zoo, "recipes/own", 'base = "small"\nsummary = "own"\n[model_options.rpn]\npost = 3\n')
    assert read_recipe("own") == {
        "name": "own",
        "model": "m",
        "dataset": "d",
        "licence": "MIT",
        "summary": "own",
        "tasks": ("bbox",),
        "model_options": {"rpn": {"pre": 1, "post": 3}},
    }


def test_a_circle_of_bases_is_refused(zoo: Path) -> None:
    write(zoo, "bases/one", 'base = "two"\n')
    write(zoo, "bases/two", 'base = "one"\n')
    write(zoo, "recipes/round", 'base = "one"\n')
    with pytest.raises(InputError, match="circle: one -> two -> one"):
        read_recipe("round")


START = 'base = "family"\ntasks = ["bbox"]\n'


def test_weights_of_the_package_are_a_file_where_it_lies(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are found as any plugin's may be: the recipe states the URL of a file."""
    from benchsuite.weights import resolve_weights

    content = b"values"
    (tmp_path / "own weights").mkdir()
    (tmp_path / "own weights" / "own.safetensors").write_bytes(content)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "own weights")
    digest = hashlib.sha256(content).hexdigest()
    stated = f'file = "own.safetensors"\nbytes = {len(content)}\nsha256 = "{digest}"\n'
    write(zoo, "recipes/own", f"{START}default = true\n[weights]\n{stated}")
    (entry,) = json.loads(index_text())
    assert entry["weights_file"] == "own.safetensors" and "weights_url" not in entry
    monkeypatch.setattr(benchsuite_zoo, "INDEX", tmp_path / "index.json")
    benchsuite_zoo.INDEX.write_text(index_text())
    (spec,) = benchsuite_zoo.benchsuite_recipes()
    body = read_recipe("own")
    assert spec.weights_url == body["weights"]["url"]
    monkeypatch.setenv("BENCHSUITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(plugins, "registry", plugins.Registry)
    weights = resolve_weights(None, spec, body)
    assert (weights.name, weights.sha256, weights.random) == ("own", digest, False)
    assert weights.path == tmp_path / "own weights" / "own.safetensors"


SHIPPED = [name for name in recipe_names() if "file" in read_recipe(name).get("weights", {})]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_what_its_recipe_says(name: str) -> None:
    weights = read_recipe(name)["weights"]
    content = (shipped.FOLDER / weights["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == weights["sha256"]
    assert len(content) == weights["bytes"] <= 4_000_000


def test_nothing_is_shipped_that_no_recipe_names() -> None:
    named = {read_recipe(name)["weights"]["file"] for name in SHIPPED}
    assert {path.name for path in shipped.FOLDER.glob("*")} == named


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('base = "famly"\n', "did you mean family"),
        ('base = "family"\ntask = ["bbox"]\n', "did you mean tasks"),
        ('base = "family"\n[weights]\nsha = "x"\n', "did you mean sha256"),
        ('base = "family"\ntasks = "bbox"\n', "value of tasks is of a wrong type"),
        ('base = "family"\ntasks = ["bbox"]\n[published]\n"bbox/AP" = 41.0\n', "between 0 and 1"),
        (f'{START}[weights]\nfile = "../secret"\nsha256 = "0"\n', "must be the name of a file"),
        (f"{START}[weights]\nfile = 1\nsha256 = '0'\n", "must be the name of a file"),
        (f'{START}[weights]\nfile = "a.safetensors"\n', "have a sha256, and no url"),
        (f'{START}[weights]\nfile = "a"\nsha256 = "0"\nurl = "u"\n', "have a sha256, and no url"),
        ('base = "family"\n', "says nothing of tasks"),
        ("base = \n", "is no TOML"),
    ],
)
def test_what_no_recipe_can_say_is_refused(zoo: Path, text: str, message: str) -> None:
    write(zoo, "recipes/broken", text)
    with pytest.raises(InputError, match=message) as caught:
        read_recipe("broken")
    assert "broken.toml" in str(caught.value)
