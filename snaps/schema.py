"""The profiles file: names of dimensions, variables and attributes, its version, and its validation.

The definitions are those of section 6 of the design: one ``Dataset`` at ``/{grouping}/{layer}``, with the
dimensions ``group``, ``unit`` and ``lag``, and the whole provenance in the attributes of the root.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import numpy as np
import xarray as xr

from snaps.errors import UNSTORABLE, InputError, check_name, check_text, shortened

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

#: Attribute of profiles that lack some groups.
LEFT_OUT = "left_out"

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

    Returns
    -------
    Dataset
        It has every variable and dimension that it must have.

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
            raise InputError(
                f"{where} lack the variable {name!r}; they have {shortened(sorted(map(str, dataset.data_vars)))}"
            )
        _check_dimensions(dataset, name, dims, f"in {where} the variable")
    for name, dims in OPTIONAL.items():
        if name in dataset.data_vars:
            _check_dimensions(dataset, name, dims, f"in {where} the variable")
    for name in (GROUP, LAG):
        if name not in dataset.coords:
            raise InputError(f"{where} lack the coordinate {name!r}")
        _check_dimensions(dataset, name, (name,), f"in {where} the coordinate")
    for name in (*REQUIRED, *OPTIONAL, LAG, FREQUENCY):
        if name in dataset.variables and dataset[name].dtype.kind not in "iuf":
            raise InputError(
                f"in {where} {name!r} is of the type {shortened(dataset[name].dtype)}; accepted are numbers"
            )
    if FREQUENCY in dataset.variables:
        _check_dimensions(dataset, FREQUENCY, (UNIT,), f"in {where}")


def _check_dimensions(dataset: xr.Dataset, name: str, dims: tuple[str, ...], which: str) -> None:
    if dataset[name].dims != dims:
        raise InputError(f"{which} {name!r} has the dimensions {shortened(dataset[name].dims)}, not {dims}")


def validate_tree(tree: xr.DataTree, where: str = "the file") -> None:
    """Refuse a tree that is not a profiles tree, or one of a later version.

    Raises
    ------
    InputError
        Naming what is missing, or the two versions.
    """
    schema = tree.attrs.get("schema")
    if not isinstance(schema, str) or schema != SCHEMA_NAME:
        raise InputError(f"{where} is not a profiles file: its attribute 'schema' is {shortened(repr(schema))}")
    version = tree.attrs.get("schema_version")
    if not _is_whole(version) or version < 1:
        raise InputError(
            f"{where} has the schema version {shortened(repr(version))}; accepted are whole numbers from 1"
        )
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{where} has the schema version {version}; this version of snaps reads up to {SCHEMA_VERSION}: "
            "install a newer one"
        )
    for name in ("layers", "groupings"):
        if name not in tree.attrs:
            raise InputError(f"{where} is not a profiles file: its attribute {name!r} is missing")
    _validate_attributes(tree.attrs, ATTRIBUTES, where)
    for grouping in decode_attribute(tree.attrs, "groupings", where):
        for layer in decode_attribute(tree.attrs, "layers", where):
            path = f"{grouping}/{layer}"
            if grouping not in tree.children or layer not in tree[grouping].children:
                raise InputError(f"{where} lacks the node {shortened('/' + path)!r} that its attributes name")
            of = f"the profiles {shortened('/' + path)!r} of {where}"
            validate_dataset(tree[path].to_dataset(), of)
            _validate_attributes(tree[path].attrs, NODE_ATTRIBUTES, of)


def _validate_attributes(attributes: Mapping[Any, Any], kinds: "Mapping[str, Kind]", where: str) -> None:
    for name, (accepts, accepted) in kinds.items():
        if name not in attributes:
            continue
        value = attributes[name]
        # A layer may say its aligner's name alone.
        named = kinds is NODE_ATTRIBUTES and name == "aligner" and str(value)[:1] not in ("{", "[")
        if name in (*JSON_ATTRIBUTES, LEFT_OUT) and not named:
            value = decode_attribute(attributes, name, where)
        if not accepts(value):
            raise InputError(f"the attribute {name!r} of {where} is {shortened(repr(value))}; accepted is {accepted}")


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


def parsed_json(text: str | bytes, kind: type = object) -> Any:
    """Read a JSON text that holds one thing of a kind.

    Raises
    ------
    ValueError
        If it is no JSON text, is nested too deeply, or holds something else.

    Examples
    --------
    >>> parsed_json('{"layers": ["input"]}', dict)
    {'layers': ['input']}
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, kind):
        raise ValueError(f"it holds a {type(found).__name__}, not a {kind.__name__}")
    return found


def decode_attribute(attributes: Mapping[Any, Any], name: str, where: str = "the file") -> Any:
    """Nested value of one attribute.

    Raises
    ------
    InputError
        If the attribute is missing or is no JSON text.
    """
    if name not in attributes:
        raise InputError(f"{where} lacks the attribute {name!r}; it has {shortened(sorted(map(str, attributes)))}")
    value = attributes[name]
    if not isinstance(value, str):
        return value
    try:
        return parsed_json(value)
    except ValueError as error:
        raise InputError(f"the attribute {name!r} of {where} is not JSON text: {shortened(error)}") from None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> TypeGuard[int]:
    # Python's own numbers have no bound; longer ones could not even be printed.
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) < 2**63


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 0


def _is_step(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float | np.floating)) and 0.0 < float(value) < math.inf


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _are_names(value: Any) -> bool:
    """Names of nodes: no two alike, and no paths."""
    return (
        _are_texts(value)
        and len(value) == len(set(value)) > 0
        and all(name not in ("", ".", "..") and "/" not in name for name in value)
    )


def _is_aligner(value: Any) -> bool:
    return value is None or isinstance(value, str | dict)


def _is_object(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_network(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("symbols") is None or _are_texts(value["symbols"]))


def _is_corpus(value: Any) -> bool:
    return isinstance(value, dict) and _is_count(value.get("n_recordings", 0))


def _is_drop_log(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    counts, skipped = value.get("counts") or {}, value.get("skipped") or []
    return (
        isinstance(counts, dict)
        and all(isinstance(of, dict) and all(map(_is_count, of.values())) for of in counts.values())
        and isinstance(skipped, list)
        and all(isinstance(entry, dict) for entry in skipped)
        and _is_count(value.get("clipped") or 0)
    )


Kind = tuple[Callable[[Any], bool], str]
_TEXT: Kind = (_is_text, "a text")
_COUNT: Kind = (_is_count, "a whole number from 0")
_STEP: Kind = (_is_step, "a number above 0")
_NAMES: Kind = (_are_names, "a list of names, no two alike")
_ALIGNER: Kind = (_is_aligner, "a name or a JSON object")
#: What attributes of the root are, where they are there.
ATTRIBUTES: Mapping[str, Kind] = {
    **dict.fromkeys(("package_version", "created", "context", "target"), _TEXT),
    **dict.fromkeys(("layers", "groupings"), _NAMES),
    **dict.fromkeys(("n_recordings", "n_frames"), _COUNT),
    "step": _STEP,
    "ignored": (_are_texts, "a list of texts"),
    "features": (_is_object, "a JSON object"),
    "model": (_is_network, "a JSON object, with a list of texts as its symbols"),
    "corpus": (_is_corpus, "a JSON object, with a number of recordings"),
    "aligner": _ALIGNER,
    "drop_log": (_is_drop_log, "a JSON object of counts by reason and grouping"),
}
#: What attributes of one layer's profiles are, where they are there.
NODE_ATTRIBUTES: Mapping[str, Kind] = {
    **dict.fromkeys(("layer", "grouping", "context"), _TEXT),
    **dict.fromkeys(("stride", "step"), _STEP),
    "aligner": _ALIGNER,
    LEFT_OUT: (_are_texts, "a list of texts"),
}
