"""From sums to a profiles tree, with the whole provenance."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xarray as xr

import snaps
from snaps import schema
from snaps.accumulators import GroupingMoments
from snaps.alignment import Alignment
from snaps.datasets.corpus import CorpusLike, corpus_fingerprint, corpus_name, corpus_settings
from snaps.models import weights_hash
from snaps.profiling.session import Session
from snaps.responses import LayerGeometry, Precision, Responder
from snaps.schema import Provenance, storable


def build_tree(
    totals: Mapping[str, GroupingMoments],
    kept_units: Mapping[str, np.ndarray],
    provenance: Provenance,
    *,
    layers: Sequence[LayerGeometry],
    frequency: np.ndarray | None,
) -> xr.DataTree:
    """Profiles as section 6 of the design defines them."""
    assert provenance.step is not None
    datasets: dict[str, xr.Dataset | xr.DataTree] = {}
    for grouping, moments in totals.items():
        for geometry in layers:
            seconds, units = float(geometry.stride) * provenance.step, kept_units[geometry.name]
            dataset = _dataset(moments, geometry, units, seconds=seconds)
            if geometry.name == schema.INPUT_LAYER and frequency is not None:
                described = {"units": "Hz", "long_name": "frequency"}
                dataset = dataset.assign_coords({schema.FREQUENCY: (schema.UNIT, frequency[units], described)})
            dataset.attrs = schema.encode_attributes(
                {
                    "layer": geometry.name,
                    "grouping": grouping,
                    "aligner": dict(provenance.aligner),
                    "context": provenance.context,
                    "stride": float(geometry.stride),
                    "step": seconds,
                }
            )
            datasets[f"/{grouping}/{geometry.name}"] = dataset
    tree = xr.DataTree.from_dict(datasets)
    tree.attrs = provenance.attributes()
    return tree


def _dataset(moments: GroupingMoments, geometry: LayerGeometry, units: np.ndarray, *, seconds: float) -> xr.Dataset:
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
    coordinates: dict[str, Any] = {
        schema.GROUP: np.array([labels[row] for row in order], dtype=str),
        schema.UNIT: units,
        schema.LAG: (schema.LAG, np.array(geometry.lags) * seconds, {"units": "s", "long_name": "lag from the peak"}),
    }
    with np.errstate(over="ignore"):  # a variance that float32 does not hold is infinite
        variables = {name: (dims[name], array[order].astype(schema.DTYPES[name])) for name, array in values.items()}
    return xr.Dataset(variables, coordinates)


def provenance_of(
    session: Session, corpus: CorpusLike, aligner: Alignment, *, responder: Responder, precision: Precision, step: float
) -> Provenance:
    """Provenance of a run before its counts are known."""
    grid = responder.grid
    return Provenance(
        package_version=snaps.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        layers=tuple(geometry.name for geometry in responder.layers),
        context=responder.context,
        precision=precision,
        target=session.target_name,
        ignored=tuple(session.ignored),
        aligner=aligner.describe(),
        step=step,
        frame={"steps": grid.steps, "hop": grid.hop, "offset": grid.offset, "seconds": grid.steps * step},
        features=corpus_settings(corpus),
        **network_attributes(session, corpus),
    )


def network_attributes(session: Session, corpus: CorpusLike) -> dict[str, Any]:
    """Description of the network and of the corpus; the network's configuration never replaces our own fields."""
    own = {
        "name": type(session.model).__name__,
        "hash": weights_hash(session.model),
        "symbols": list(session.symbols),
    }
    config = storable(getattr(session.model, "config", {}))
    rate = storable({"error_rate": getattr(session.model, "error_rate", None)}).get("error_rate")
    return {
        "model": {**own, **{name: config[name] for name in config if name not in own}, "error_rate": rate},
        "corpus": {
            "name": corpus_name(corpus),
            "fingerprint": corpus_fingerprint(corpus),
            "n_recordings": len(corpus),
        },
    }
