"""The profiles file: names of dimensions, variables and attributes, its version, and its validation.

The definitions are those of section 6 of the design: one ``Dataset`` at ``/{grouping}/{layer}``, with the
dimensions ``group``, ``unit`` and ``lag``, and the whole provenance in the attributes of the root.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from snaps.errors import UNSTORABLE, InputError, check_name, check_text

SCHEMA_NAME = "neuron-snaps profiles"
SCHEMA_VERSION = 1

GROUP, UNIT, LAG, RANK = "group", "unit", "lag", "rank"
FREQUENCY = "frequency"

ACTIVATION, SALIENCY = "activation", "saliency"
COVERAGE, COUNT, UNALIGNED = "coverage", "count", "unaligned"
ACTIVATION_VARIANCE, SALIENCY_VARIANCE = "activation_variance", "saliency_variance"

#: Dimensions of every variable that a dataset must have.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    ACTIVATION: (GROUP, UNIT, LAG),
    SALIENCY: (GROUP, UNIT, LAG),
    COVERAGE: (GROUP, LAG),
    COUNT: (GROUP,),
    UNALIGNED: (GROUP,),
}
#: Dimensions of the variables that ``variance=True`` adds.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    ACTIVATION_VARIANCE: (GROUP, UNIT, LAG),
    SALIENCY_VARIANCE: (GROUP, UNIT, LAG),
}
DTYPES: Mapping[str, np.dtype] = {
    **{name: np.dtype("float32") for name in (ACTIVATION, SALIENCY, *OPTIONAL)},
    **{name: np.dtype("int64") for name in (COVERAGE, COUNT, UNALIGNED)},
}

INPUT_LAYER = "input"
LOGITS_LAYER = "logits"

#: Attributes of the root whose values are nested; they are stored as JSON text.
JSON_ATTRIBUTES = ("layers", "groupings", "ignored", "drop_log", "features", "aligner", "model", "corpus")


def check_storable(tree: xr.DataTree) -> None:
    """Refuse a tree with a name or a label that stores cannot hold.

    Raises
    ------
    InputError
        Naming it.
    """
    for node in tree.subtree:
        if node.name is not None and node.parent is not None:
            check_name(node.name, "the name of a grouping" if node.level == 1 else "the name of a layer")
        for attribute, value in node.attrs.items():
            if isinstance(value, str):
                check_text(value, f"the attribute {attribute!r} of the node {node.path!r}")
        if GROUP in node.coords:
            for label in node.coords[GROUP].values:
                check_text(str(label), f"a label of the grouping {node.parent.name if node.parent else ''!r}")


def dataset_of(profiles: xr.Dataset | xr.DataTree) -> xr.Dataset:
    """Dataset of one layer, from itself or from the tree's node.

    Parameters
    ----------
    profiles : Dataset or DataTree
        One layer's profiles, e.g. ``profiles["phoneme/conv5"]``.

    Raises
    ------
    InputError
        If it is something else, is a node without data, or lacks a variable or dimension.
    """
    if isinstance(profiles, xr.DataTree):
        dataset = profiles.to_dataset()
        if not dataset.data_vars:
            children = ", ".join(repr(name) for name in profiles.children) or "no children"
            raise InputError(f"the node {profiles.path!r} holds no profiles of one layer; below it are {children}")
    elif isinstance(profiles, xr.Dataset):
        dataset = profiles
    else:
        raise InputError(
            f"profiles of one layer are a Dataset or a node of the tree; received {type(profiles).__name__}"
        )
    validate_dataset(dataset)
    return dataset


def validate_dataset(dataset: xr.Dataset, where: str = "the profiles") -> None:
    """Refuse a dataset that lacks what section 6 demands.

    Raises
    ------
    InputError
        Naming the variable that is missing or has other dimensions.
    """
    for name, dims in REQUIRED.items():
        if name not in dataset.data_vars:
            raise InputError(f"{where} lack the variable {name!r}; they have {sorted(map(str, dataset.data_vars))}")
        if dataset[name].dims != dims:
            raise InputError(f"in {where} the variable {name!r} has the dimensions {dataset[name].dims}, not {dims}")
    for name, dims in OPTIONAL.items():
        if name in dataset.data_vars and dataset[name].dims != dims:
            raise InputError(f"in {where} the variable {name!r} has the dimensions {dataset[name].dims}, not {dims}")
    for name in (GROUP, LAG):
        if name not in dataset.coords:
            raise InputError(f"{where} lack the coordinate {name!r}")


def validate_tree(tree: xr.DataTree, where: str = "the file") -> None:
    """Refuse a tree that is not a profiles tree, or one of a later version.

    Raises
    ------
    InputError
        Naming what is missing, or the two versions.
    """
    if tree.attrs.get("schema") != SCHEMA_NAME:
        raise InputError(f"{where} is not a profiles file: its attribute 'schema' is {tree.attrs.get('schema')!r}")
    version = tree.attrs.get("schema_version")
    if not isinstance(version, int | np.integer) or version < 1:
        raise InputError(f"{where} has the schema version {version!r}; accepted are whole numbers from 1")
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{where} has the schema version {version}; this version of snaps reads up to {SCHEMA_VERSION}: "
            "install a newer one"
        )
    for name in ("layers", "groupings"):
        if name not in tree.attrs:
            raise InputError(f"{where} is not a profiles file: its attribute {name!r} is missing")
    for grouping in decode_attribute(tree.attrs, "groupings", where):
        for layer in decode_attribute(tree.attrs, "layers", where):
            path = f"{grouping}/{layer}"
            if grouping not in tree.children or layer not in tree[grouping].children:
                raise InputError(f"{where} lacks the node '/{path}' that its attributes name")
            validate_dataset(tree[path].to_dataset(), f"the profiles '/{path}' of {where}")


def encode_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as a store can hold them: nested values become JSON text.

    Examples
    --------
    >>> encode_attributes({"layers": ["input"], "context": "recording"})
    {'layers': '["input"]', 'context': 'recording'}
    """
    return {
        name: json_text(value) if isinstance(value, list | tuple | dict) or value is None else value
        for name, value in attributes.items()
    }


def json_text(value: Any, **options: Any) -> str:
    """JSON text in which letters stand as they are, unless there is something that UTF-8 cannot hold.

    Examples
    --------
    >>> json_text(["é"])
    '["é"]'
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return json.dumps(value, **options) if UNSTORABLE.search(text) else text


def decode_attribute(attributes: Mapping[Any, Any], name: str, where: str = "the file") -> Any:
    """Nested value of one attribute.

    Raises
    ------
    InputError
        If the attribute is missing or is no JSON text.
    """
    if name not in attributes:
        raise InputError(f"{where} lacks the attribute {name!r}; it has {sorted(map(str, attributes))}")
    value = attributes[name]
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise InputError(f"the attribute {name!r} of {where} is not JSON text: {error}") from None
