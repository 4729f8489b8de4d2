"""Where profiles come from, and what was left out on the way, in words."""

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from snaps.datasets import REASONS
from snaps.report.blocks import Section, Table
from snaps.schema import JSON_ATTRIBUTES, decode_attribute

CONTEXTS: Mapping[str, str] = {
    "recording": "recording: responses are computed on whole recordings, epochs are cut from them",
    "frame": "frame: every frame is run alone",
}
#: Attributes that have a row of their own words, or are shown elsewhere.
TOLD = frozenset(
    {
        *JSON_ATTRIBUTES,
        *("schema", "schema_version", "package_version", "created", "context", "target", "step"),
        *("n_recordings", "n_frames"),
    }
)
#: Levels of nested attributes that are shown.
DEEPEST = 20


def provenance_section(profiles: xr.DataTree) -> Section:
    """Build the table of everything that the root attributes say."""
    attributes = profiles.attrs
    nested = {name: decode_attribute(attributes, name) for name in JSON_ATTRIBUTES if name in attributes}
    model, corpus = nested.get("model") or {}, nested.get("corpus") or {}
    rows = [
        ("network", model.get("name")),
        ("weights", model.get("hash")),
        ("symbols", _symbols(model.get("symbols"))),
        *((f"network: {name}", _text(model[name])) for name in model if name not in {"name", "hash", "symbols"}),
        ("corpus", corpus.get("name")),
        ("corpus fingerprint", corpus.get("fingerprint")),
        ("recordings", _number(attributes.get("n_recordings", corpus.get("n_recordings")))),
        ("frames", _number(attributes.get("n_frames"))),
        ("features", _text(nested.get("features"))),
        ("input step", f"{1000 * float(attributes['step']):g} ms" if "step" in attributes else None),
        ("context", CONTEXTS.get(str(attributes.get("context")), attributes.get("context"))),
        ("target", attributes.get("target")),
        ("alignment", _aligner(nested.get("aligner"))),
        ("ignored symbols", _text(nested.get("ignored")) or "none"),
        ("layers", _text(nested.get("layers"))),
        ("groupings", _text(nested.get("groupings"))),
        *((str(name), _text(_decoded(value))) for name, value in attributes.items() if name not in TOLD),
        ("computed", attributes.get("created")),
        ("snaps", attributes.get("package_version")),
        ("schema version", _number(attributes.get("schema_version"))),
    ]
    kept = [(name, value) for name, value in rows if value not in (None, "")]
    return Section("Where the profiles come from", [Table(["what", "value"], kept)])


def drop_section(profiles: xr.DataTree) -> Section:
    """Build the tables of what was left out, by reason and grouping."""
    log = decode_attribute(profiles.attrs, "drop_log") if "drop_log" in profiles.attrs else {}
    groupings = list(decode_attribute(profiles.attrs, "groupings"))
    counts: Mapping[str, Mapping[str, int]] = log.get("counts") or {}
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
    skipped = log.get("skipped") or []
    if skipped:
        content.append(
            Table(
                ["recording", "reason"],
                [[entry.get("recording"), entry.get("reason")] for entry in skipped],
                caption=f"Recordings that could not be read and were left out: {len(skipped):,}",
            )
        )
    elif rows:
        content.append("Every recording could be read.")
    return Section("What was left out", content)


def _aligner(described: Any) -> str:
    """Say how epochs were aligned."""
    if not isinstance(described, dict):
        return _text(described)
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


def _decoded(value: Any) -> Any:
    """Nested attributes are JSON text, also those that are not listed."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


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
