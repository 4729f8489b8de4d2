"""From sums to a profiles tree, with the whole provenance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

import snaps
from snaps import schema
from snaps.accumulators import GroupingMoments
from snaps.alignment import Alignment
from snaps.datasets.corpus import CorpusLike, corpus_fingerprint, corpus_name, corpus_settings
from snaps.datasets.drops import DropLog
from snaps.models import weights_hash
from snaps.profiling.session import Session
from snaps.responses import LayerGeometry, Precision, Responder


@dataclass(frozen=True)
class Provenance:
    """Everything that says where profiles come from."""

    session: Session
    corpus: CorpusLike
    aligner: Alignment
    responder: Responder
    precision: Precision
    step: float
    frequency: np.ndarray | None
    n_recordings: int
    n_frames: int
    drops: DropLog


def build_tree(
    totals: Mapping[str, GroupingMoments], kept_units: Mapping[str, np.ndarray], provenance: Provenance
) -> xr.DataTree:
    """Profiles as section 6 of the design defines them."""
    datasets: dict[str, xr.Dataset | xr.DataTree] = {}
    for grouping, moments in totals.items():
        for geometry in provenance.responder.layers:
            dataset = _dataset(moments, geometry, kept_units[geometry.name], provenance)
            dataset.attrs = schema.encode_attributes(
                {
                    "layer": geometry.name,
                    "grouping": grouping,
                    "aligner": provenance.aligner.describe(),
                    "context": provenance.responder.context,
                    "stride": float(geometry.stride),
                    "step": float(geometry.stride) * provenance.step,
                }
            )
            datasets[f"/{grouping}/{geometry.name}"] = dataset
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs = root_attributes(list(totals), provenance)
    return tree


def _dataset(
    moments: GroupingMoments, geometry: LayerGeometry, units: np.ndarray, provenance: Provenance
) -> xr.Dataset:
    layer = moments.result(geometry.name)
    labels = list(moments.counts)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    values: dict[str, np.ndarray] = {
        schema.ACTIVATION: layer.activation.mean(),
        schema.SALIENCY: layer.saliency.mean(),
        schema.COVERAGE: layer.activation.number.cpu().numpy(),
        schema.COUNT: np.array(list(moments.counts.values()), dtype=np.int64),
        schema.UNALIGNED: layer.unaligned.cpu().numpy(),
    }
    if moments.variance:
        values[schema.ACTIVATION_VARIANCE] = layer.activation.variance()
        values[schema.SALIENCY_VARIANCE] = layer.saliency.variance()
    dims = {**schema.REQUIRED, **schema.OPTIONAL}
    seconds = float(geometry.stride) * provenance.step
    coordinates: dict[str, Any] = {
        schema.GROUP: np.array([labels[row] for row in order], dtype=str),
        schema.UNIT: units,
        schema.LAG: (schema.LAG, np.array(geometry.lags) * seconds, {"units": "s", "long_name": "lag from the peak"}),
    }
    if geometry.name == schema.INPUT_LAYER and provenance.frequency is not None:
        coordinates[schema.FREQUENCY] = (
            schema.UNIT, provenance.frequency[units], {"units": "Hz", "long_name": "frequency"},
        )  # fmt: skip
    with np.errstate(over="ignore"):  # a variance that float32 does not hold is infinite
        variables = {name: (dims[name], array[order].astype(schema.DTYPES[name])) for name, array in values.items()}
    return xr.Dataset(variables, coordinates)


def root_attributes(groupings: Sequence[str], provenance: Provenance) -> dict[str, Any]:
    """Attributes of the root, nested ones as JSON text."""
    session, corpus, grid = provenance.session, provenance.corpus, provenance.responder.grid
    return schema.encode_attributes(
        {
            "schema": schema.SCHEMA_NAME,
            "schema_version": schema.SCHEMA_VERSION,
            "package_version": snaps.__version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "layers": [geometry.name for geometry in provenance.responder.layers],
            "groupings": list(groupings),
            "context": provenance.responder.context,
            "precision": provenance.precision,
            "target": session.target_name,
            "ignored": list(session.ignored),
            "aligner": provenance.aligner.describe(),
            "n_recordings": provenance.n_recordings,
            "n_frames": provenance.n_frames,
            "step": provenance.step,
            "frame": {
                "steps": grid.steps,
                "hop": grid.hop,
                "offset": grid.offset,
                "seconds": grid.steps * provenance.step,
            },
            **network_attributes(session, corpus),
            "features": corpus_settings(corpus),
            "drop_log": provenance.drops.to_dict(),
        }
    )


def network_attributes(session: Session, corpus: CorpusLike) -> dict[str, Any]:
    """Which network heard which corpus."""
    return {
        "model": {
            "name": type(session.model).__name__,
            "hash": weights_hash(session.model),
            "symbols": list(session.symbols),
            **_json_only(getattr(session.model, "config", {})),
            "error_rate": getattr(session.model, "error_rate", None),
        },
        "corpus": {
            "name": corpus_name(corpus),
            "fingerprint": corpus_fingerprint(corpus),
            "n_recordings": len(corpus),
        },
    }


def _json_only(config: Mapping[str, Any]) -> dict[str, Any]:
    """A network's configuration, as far as JSON can hold it."""
    try:
        return dict(json.loads(json.dumps(config)))
    except TypeError:
        return {}
