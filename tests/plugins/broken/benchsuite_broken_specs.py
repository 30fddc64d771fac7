"""A plugin that registers rubbish, a name that is taken, and one good model beside them."""

from benchsuite import DatasetSpec, ModelSpec, hookimpl


@hookimpl
def benchsuite_models():
    return [
        "not a spec",
        ModelSpec("mask_rcnn", tasks=("bbox",), factory="nowhere:Model"),
        ModelSpec("unimportable", tasks=("bbox",), factory="not_a_module_at_all:Model"),
        ModelSpec("no_such_task", tasks=("telepathy",), factory="json:loads"),
    ]


@hookimpl
def benchsuite_datasets():
    return DatasetSpec("alone", tasks=("bbox",), factory="json:loads")


@hookimpl
def benchsuite_metrics():
    raise RuntimeError("metrics are hard")
