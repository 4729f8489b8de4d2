"""Where profiles come from, and what was left out on the way, in words."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from snaps.datasets import REASONS
from snaps.report.blocks import Section, Table
from snaps.schema import Provenance

CONTEXTS: Mapping[str, str] = {
    "recording": "recording: responses are computed on whole recordings, epochs are cut from them",
    "frame": "frame: every frame is run alone",
}
#: Levels of nested attributes that are shown.
DEEPEST = 20


def provenance_section(profiles: xr.DataTree) -> Section:
    """Build the table of everything that the root attributes say."""
    found = Provenance.of(profiles)
    model, corpus = found.model, found.corpus
    rows = [
        ("network", model.get("name")),
        ("weights", model.get("hash")),
        ("symbols", _symbols(model.get("symbols"))),
        *((f"network: {name}", _text(model[name])) for name in model if name not in {"name", "hash", "symbols"}),
        ("corpus", corpus.get("name")),
        ("corpus fingerprint", corpus.get("fingerprint")),
        ("recordings", _number(corpus.get("n_recordings") if found.n_recordings is None else found.n_recordings)),
        ("frames", _number(found.n_frames)),
        ("features", _text(found.features)),
        ("input step", None if found.step is None else f"{1000 * found.step:g} ms"),
        ("context", CONTEXTS.get(found.context, found.context)),
        ("target", found.target),
        ("alignment", _aligner(found.aligner)),
        ("ignored symbols", _text(found.ignored) or "none"),
        ("layers", _text(found.layers)),
        ("groupings", _text(found.groupings)),
        ("precision", found.precision),
        ("frame", _text(found.frame)),
        *((name, _text(value)) for name, value in found.others.items()),
        ("computed", found.created),
        ("snaps", found.package_version),
        ("schema version", _number(found.schema_version)),
    ]
    kept = [(name, value) for name, value in rows if value not in (None, "")]
    return Section("Where the profiles come from", [Table(["what", "value"], kept)])


def drop_section(profiles: xr.DataTree) -> Section:
    """Build the tables of what was left out, by reason and grouping."""
    found = Provenance.of(profiles)
    log, counts, groupings = found.drop_log, found.left_out, found.groupings
    content: list[str | Table] = []
    rows = [
        [reason, REASONS.get(reason, ""), *(int(of.get(grouping, 0)) for grouping in groupings)]
        for reason, of in counts.items()
    ]
    if rows:
        content.append(Table(["reason", "what is counted", *groupings], rows))
    else:
        content.append("The profiles hold no drop log.")
    if log.get("clipped"):
        content.append(f"Annotated intervals that ended after their recording and were clipped: {log['clipped']:,}.")
    skipped = found.skipped
    if skipped:
        content.append(
            Table(
                ["recording", "reason"],
                [[name, reason] for name, reason in skipped.items()],
                caption=f"Recordings that could not be read and were left out: {len(skipped):,}",
            )
        )
    elif rows:
        content.append("Every recording could be read.")
    return Section("What was left out", content)


def _aligner(described: Any) -> str:
    """Say how epochs were aligned."""
    if not described:
        return ""
    if set(described) == {"name"}:
        return str(described["name"])
    saliency = _plugin(described.get("saliency"))
    if described.get("name") == "Unaligned":
        return f"none; saliency: {saliency}"
    parts = [f"saliency: {saliency}", f"peak: {_plugin(described.get('peak'))}"]
    if described.get("mask"):
        parts.append(f"mask: {_plugin(described['mask'])}")
    return "; ".join(parts)


def _plugin(described: Any) -> str:
    if isinstance(described, dict) and "name" in described:
        others = {name: value for name, value in described.items() if name != "name"}
        return f"{described['name']} ({_text(others)})" if others else str(described["name"])
    return _text(described)


def _symbols(symbols: Any) -> str | None:
    if not symbols:
        return None
    return f"{len(symbols)}: " + " ".join("space" if symbol == " " else str(symbol) for symbol in symbols)


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:,}"


def _text(value: Any, levels: int = DEEPEST) -> str:
    """Nested values as one line, down to so many levels."""
    if value is None:
        return ""
    if not levels:
        return "…"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner, levels - 1)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_text(inner, levels - 1) for inner in value)
    return str(value)
