"""The profiles file: names of dimensions, variables and attributes, its version, its validation and its provenance.

One ``Dataset`` at ``/{grouping}/{layer}``, with the
dimensions ``group``, ``unit`` and ``lag``, and the whole provenance in the attributes of the root.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import xarray as xr

from snaps.errors import UNSTORABLE, InputError, check_text, check_type, shortened

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

#: Attributes that are checked. ``[str]`` is a list of texts, a dict a JSON object; ``...`` stands for all its fields.
KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("package_version", "created", "context", "precision", "target", "layer", "grouping"), str),
    **dict.fromkeys(("schema_version", "n_recordings", "n_frames"), int),
    **dict.fromkeys(("step", "stride"), float),
    **{name: [str] for name in ("layers", "groupings", "ignored", LEFT_OUT)},
    **{name: {} for name in ("features", "frame")},
    "aligner": {"name": str},
    "model": {"name": str, "hash": str, "symbols": [str], "error_rate": float},
    "corpus": {"name": str, "fingerprint": str, "n_recordings": int},
    "drop_log": {"counts": {...: {...: int}}, "skipped": [{}], "clipped": int},
}
_ACCEPTED: Mapping[type, str] = {
    str: "a text", int: "a whole number from 0", float: "a number", list: "a list of texts",
    dict: "a JSON object with the fields that snaps writes",
}  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """Origin of profiles: network, corpus, alignment, and what was left out; the attributes of the root.

    A run builds it before the first recording and enters its counts at the end with `dataclasses.replace`. What a file
    cannot hold is left out of the nested fields. Nothing is required, so that other results are read with it too.

    Attributes
    ----------
    schema_version : int
        Version of the file's layout.
    package_version, created, context, precision, target : str
        Version of the package, date and time, and options of the run.
    layers, groupings, ignored : tuple of str
        Names of layers and groupings in the order of the run, and predicted symbols left out.
    aligner, frame, model, corpus, features : mapping
        Descriptions of the alignment, of a frame, of the network (``name``, ``hash``, ``symbols``, ``error_rate`` and
        its configuration), of the corpus (``name``, ``fingerprint``, ``n_recordings``) and of its features.
    n_recordings, n_frames : int or None
        Recordings that were played and frames that were averaged; None where a file does not say it.
    step : float or None
        Seconds from one input step to the next.
    drop_log : mapping
        ``counts`` by reason and grouping, ``skipped`` recordings with their reasons, number of ``clipped`` intervals.
    others : mapping
        Attributes that have no field, such as those that a user added.

    Raises
    ------
    InputError
        If a text cannot be stored.

    Examples
    --------
    >>> provenance = Provenance(layers=("input",), model={"name": "Net", "weights": object()}, n_frames=90)
    >>> provenance.model, Provenance.of(provenance.attributes()) == provenance
    ({'name': 'Net'}, True)
    """

    schema_version: int = SCHEMA_VERSION
    package_version: str = ""
    created: str = ""
    layers: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    context: str = ""
    precision: str = ""
    target: str = ""
    ignored: tuple[str, ...] = ()
    aligner: Mapping[str, Any] = field(default_factory=dict)
    n_recordings: int | None = None
    n_frames: int | None = None
    step: float | None = None
    frame: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    drop_log: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for own in fields(self):
            value = getattr(self, own.name)
            if isinstance(value, Mapping):
                object.__setattr__(self, own.name, storable(value))
            elif isinstance(value, str):
                check_text(value, f"the attribute {own.name!r}")

    @classmethod
    def of(cls, profiles: xr.DataTree | xr.Dataset | Mapping[str, Any], where: str = "the profiles") -> "Provenance":
        """Provenance of a profiles tree, of another result that holds some of it, or of attributes alone.

        Raises
        ------
        InputError
            If an attribute is not of its type; the sentence begins with `where`.
        """
        found = decode_attributes(getattr(profiles, "attrs", profiles), where)
        own = {name: found.pop(name) for name in [one.name for one in fields(cls)] if name in found}
        found.pop("schema", None)
        known = {name: value for name, value in own.items() if value is not None}
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
        return cls(**values, others=found)

    def attributes(self) -> dict[str, Any]:
        """Attributes of the root, nested ones as JSON text."""
        values = {own.name: getattr(self, own.name) for own in fields(self) if own.name != "others"}
        known = {name: value for name, value in values.items() if value is not None}
        return encode_attributes({"schema": SCHEMA_NAME, **known, **self.others})

    @property
    def error_rate(self) -> float:
        """Symbol error rate of the network on speech that it was not trained on; NaN if unknown."""
        rate = self.model.get("error_rate")
        return math.nan if rate is None else float(rate)

    @property
    def left_out(self) -> dict[str, dict[str, int]]:
        """Frames or recordings that were left out, by reason and grouping."""
        return {reason: dict(by or {}) for reason, by in (self.drop_log.get("counts") or {}).items()}

    @property
    def skipped(self) -> dict[str, str]:
        """Reasons why recordings could not be read, by recording."""
        entries = self.drop_log.get("skipped") or []
        return {str(entry.get("recording", "")): str(entry.get("reason", "")) for entry in entries}


def storable(values: object) -> dict[str, Any]:
    """Entries of a mapping that JSON can hold; others are left out.

    Examples
    --------
    >>> storable({"width": np.int64(4), "shape": (1, 2), "activation": max}), storable("tiny")
    ({'width': 4, 'shape': [1, 2]}, {})
    """
    kept = {}
    for name, value in values.items() if isinstance(values, Mapping) else ():
        try:
            kept[str(name)] = json.loads(json_text(value, default=lambda number: number.item()))
        except (TypeError, ValueError, AttributeError, RuntimeError, RecursionError):
            continue
    return kept


def encode_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as a store can hold them: nested values become JSON text, NumPy's numbers Python's own.

    Examples
    --------
    >>> encode_attributes({"layers": ["input"], "context": "recording"})
    {'layers': '["input"]', 'context': 'recording'}
    """
    nested = (list, tuple, dict, type(None))
    return {
        str(name): json_text(value) if isinstance(value, nested) else _plain(value)
        for name, value in attributes.items()
    }


def decode_attributes(attributes: Mapping[Any, Any], where: str = "the profiles") -> dict[str, Any]:
    """Attributes as Python's own values: the one place where attributes are parsed and checked.

    Parameters
    ----------
    attributes : mapping
        Attributes as a store gives them; of those that `KINDS` does not know, JSON text is parsed as well.
    where : str
        Subject of the error's sentence.

    Raises
    ------
    InputError
        If an attribute that `KINDS` knows is no JSON text or of another type.

    Examples
    --------
    >>> decode_attributes({"aligner": "Unaligned", "layers": '["input"]', "n_frames": np.int64(3)})
    {'aligner': {'name': 'Unaligned'}, 'layers': ['input'], 'n_frames': 3}
    """
    found = {}
    for name, given in attributes.items():
        kind, value = KINDS.get(name), _plain(given)
        nested = isinstance(kind, list | dict)
        if name == "aligner" and isinstance(value, str) and not value.startswith(("{", "[", "null")):
            value = {"name": value}
        elif isinstance(value, str) and (nested or (kind is None and value.startswith(("{", "[")))):
            try:
                value = parsed_json(value)
            except ValueError as error:
                if nested:
                    raise InputError(
                        f"the attribute {name!r} of {where} is not JSON text: {shortened(error)}"
                    ) from None
        if kind is not None and not _fits(value, kind) and not (value is None and isinstance(kind, dict)):
            accepted = _ACCEPTED[kind if isinstance(kind, type) else type(kind)]
            raise InputError(f"the attribute {name!r} of {where} is {shortened(repr(value))}; accepted is {accepted}")
        found[str(name)] = value
    return found


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


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, list):
        return isinstance(value, list | tuple) and all(_fits(item, kind[0]) for item in value)
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(
            inner is None or _fits(inner, kind.get(name, kind.get(..., object))) for name, inner in value.items()
        )
    if kind is int:  # Python's own numbers have no bound; longer ones could not even be printed
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) >= 2**63
    return isinstance(value, kind)


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
    check_type("profiles of one layer", profiles, (xr.Dataset, xr.DataTree), accepted="a Dataset or a node of the tree")
    dataset = profiles.to_dataset() if isinstance(profiles, xr.DataTree) else profiles
    if isinstance(profiles, xr.DataTree) and not dataset.data_vars:
        children = ", ".join(repr(name) for name in profiles.children) or "no children"
        raise InputError(f"the node {profiles.path!r} holds no profiles of one layer; below it are {children}")
    validate_dataset(dataset)
    return dataset


def layers_of(profiles: xr.DataTree | xr.Dataset) -> dict[str, xr.Dataset]:
    """Datasets of a grouping's layers by name, in the order of the tree; or of one layer alone.

    Raises
    ------
    InputError
        If there are no layers, or one holds no profiles.
    """
    if isinstance(profiles, xr.DataTree) and not profiles.has_data and profiles.children:
        # The root has groupings as children, and those hold no data: dataset_of says what lies below.
        return {str(name): dataset_of(child) for name, child in profiles.children.items()}
    dataset = dataset_of(profiles)
    return {str(dataset.attrs.get("layer", "layer")): dataset}


def validate_dataset(dataset: xr.Dataset, where: str = "the profiles") -> None:
    """Refuse a dataset that lacks what section 6 demands.

    Raises
    ------
    InputError
        Naming the variable that is missing or has other dimensions.
    """
    needed = {**REQUIRED, GROUP: (GROUP,), LAG: (LAG,)}
    for name, dims in {**needed, **OPTIONAL, FREQUENCY: (UNIT,)}.items():
        if name not in dataset.variables:
            if name in needed:
                there = shortened(sorted(map(str, dataset.variables)))
                raise InputError(f"{where} lack the variable {name!r}; they have {there}")
            continue
        if dataset[name].dims != dims:
            raise InputError(f"in {where} {name!r} has the dimensions {shortened(dataset[name].dims)}, not {dims}")
        if name != GROUP and dataset[name].dtype.kind not in "iuf":
            kind = shortened(dataset[name].dtype)
            raise InputError(f"in {where} {name!r} is of the type {kind}; accepted are numbers")


def validate_tree(tree: xr.DataTree, where: str = "the file") -> None:
    """Refuse a tree that is not a profiles tree, has a grouping without groups, or is of a later version.

    Raises
    ------
    InputError
        Naming what is missing, or the two versions.
    """
    schema = tree.attrs.get("schema")
    if not isinstance(schema, str) or schema != SCHEMA_NAME:
        raise InputError(f"{where} is not a profiles file: its attribute 'schema' is {shortened(repr(schema))}")
    version = decode_attributes({"schema_version": tree.attrs.get("schema_version")}, where)["schema_version"]
    if not 1 <= version <= SCHEMA_VERSION:
        raise InputError(
            f"{where} has the schema version {version}; this version of snaps reads up to {SCHEMA_VERSION}: "
            "install a newer one"
        )
    provenance = Provenance.of(tree, where)
    for name, names in (("layers", provenance.layers), ("groupings", provenance.groupings)):
        if not names or len(set(names)) < len(names):
            found = shortened(list(names))
            raise InputError(f"{where} is not a profiles file: its attribute {name!r} is {found}, no list of names")
    for grouping in provenance.groupings:
        for layer in provenance.layers:
            path = f"/{grouping}/{layer}"
            if grouping not in tree.children or layer not in tree.children[grouping].children:
                raise InputError(f"{where} lacks the node {shortened(path)!r} that its attributes name")
            node, of = tree.children[grouping].children[layer], f"the profiles {shortened(path)!r} of {where}"
            validate_dataset(node.to_dataset(), of)
            decode_attributes(node.attrs, of)
            if not min(node.sizes.values()):
                raise InputError(
                    f"{of} are empty ({dict(node.sizes)}): no frame was averaged; the drop log counts why frames were "
                    "left out"
                )
