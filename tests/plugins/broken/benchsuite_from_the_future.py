"""A plugin written for a contract that this host does not know yet."""

from benchsuite import ModelSpec, hookimpl

BENCHSUITE_CONTRACT = (99, 0)


@hookimpl
def benchsuite_models():
    return [ModelSpec("from_tomorrow", tasks=("bbox",), factory="json:loads")]
