"""SNAP (Krug et al. 2021): the page of a reproduction, one function a section, each number beside the paper's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from snaps.clustering import compare_models, mean_silhouette, silhouette_sweep
from snaps.figures import figure_of, formants, plot_learning_curves, plot_silhouettes
from snaps.papers import navai2018
from snaps.papers.recipes import TRANSFERRED, Reproduction
from snaps.profiles import filter_groups, navai, snap
from snaps.report import (
    Block,
    Picture,
    Section,
    Table,
    alignment_sections,
    comparison_sections,
    methods_section,
    saliency_section,
    units_section,
    write_report,
)
from snaps.schema import Provenance

#: Groups of fewer epochs are left out of figures and clusters: their means are not to be trusted.
MIN_COUNT = 20
#: Groups that a clustering needs.
FEWEST = 3
#: Groups that stand for others where a figure shows few (Figure 4: letters above phonemes).
SHOWN = {"letter": ("a", "e", "s", "t"), "phoneme": ("iy", "ae", "s", "t")}
DEEPEST = f"conv{TRANSFERRED}"
#: Section 5.1: accuracies in percent, mean offset in ms, and phonemes whose majority is without offset.
ALIGNMENT: Mapping[str, Mapping[str, str]] = {
    "w2p_shallow": {
        "centre": "3.7 %", "aligned": "59.3 %", "window": "80.3 %", "ceiling": "93.6 %", "offset": "26 ms",
        "majority": "44 of 60",
    },
    "w2p": {
        "centre": "3.6 %", "aligned": "38.8 %", "window": "58.6 %", "ceiling": "93.6 %", "offset": "37 ms",
        "majority": "25 of 60",
    },
}  # fmt: skip
#: What the numbers of section 5.1 are called.
MEASURES: Mapping[str, str] = {
    "centre": "centre of the frame", "aligned": "at the peak", "window": "within ± 2 steps (16 ms)",
    "ceiling": "anywhere in the frame", "offset": "mean offset", "majority": "symbols mostly without offset",
}  # fmt: skip
#: Section 5.3: mean silhouette of phonemes over the four thresholds, by network and layer.
SILHOUETTES: Mapping[tuple[str, str], float] = {
    ("w2l", "conv5"): 0.09,
    ("w2l_tl_frozen", "conv5"): 0.15,
    ("w2l_tl_finetuned", "conv5"): 0.16,
    ("w2l", "logits"): 0.31,
    ("w2l_tl_frozen", "logits"): 0.21,
}


def write_page(results: Reproduction, *, seed: int) -> None:
    """Write the page of a reproduction, in the order of the paper."""
    sections = [networks(results), alignment(results), input_layer(results), side_by_side(results, seed)]
    if results.scale.of("letter"):
        sections.append(letters_and_phonemes(results))
    write_report(
        results.profiles, results.page, layers=("conv4", DEEPEST), min_count=MIN_COUNT, sections=sections,
        last=reached(results),
        title=f"The SNAP and NAvAI papers on {results.corpus}, scale {results.scale.name}", overwrite=True,
    )  # fmt: skip


def networks(results: Reproduction) -> Section:
    """Section 4.2, Tables 1 and 2: how the networks were trained."""
    rows: list[list[object]] = []
    for recipe in results.scale.recipes:
        facts = results.facts[recipe.name]
        begins = {"scratch": "nothing", "frozen": f"{recipe.source}, lower {TRANSFERRED} layers frozen"}.get(
            recipe.kind, f"{recipe.source}, normalisation left alone"
        )
        rows.append([recipe.name, recipe.labels, begins, int(facts["epochs"]), float(facts["error_rate"])])
    figure = figure_of(plot_learning_curves(results.curves))
    return Section(
        "Networks (SNAP, section 4.2, Tables 1 and 2)",
        [
            f"Corpus: {results.corpus}. Width: {results.scale.width} filters in the narrow layers, where the paper's "
            "networks have 256. Another corpus and smaller networks give other numbers than the paper; what is "
            "compared is whether the pattern is the same.",
            Table(["network", "labels", "begins with", "epochs", "symbol error rate (test part)"], rows),
            Picture(figure, "Symbol error rates over epochs", "On speakers of the training part that were set aside."),
        ],
    )


def alignment(results: Reproduction) -> Section:
    """Section 5.1: annotation at the centre of frames and at the peak."""
    rows: list[list[object]] = []
    for name, found in results.alignments.items():
        if "accuracy" in found:
            share = found["offsets"].sel(offset=0) / found["offsets"].sum("offset")
            here = {
                str(c): f"{100 * float(found['accuracy'].sel(criterion=c)):.1f} %" for c in found["criterion"].values
            }
            here["offset"] = f"{float(found['mean_offset_ms']):.0f} ms"
            here["majority"] = f"{int((share > 0.5).sum())} of {found.sizes['symbol']}"
            paper = ALIGNMENT.get(name, {})
            rows.extend([name, words, here[key], paper.get(key, "")] for key, words in MEASURES.items())
    return Section(
        "Alignment (SNAP, section 5.1)",
        [Table(["network", "the predicted phoneme is annotated", "here", "paper"], rows)],
        sections=[
            Section(name, section.content, sections=section.sections)
            for name, found in results.alignments.items()
            for section in alignment_sections(found)
        ],
    )


def input_layer(results: Reproduction) -> Section:
    """Section 5.2, and Figure 3 of the NAvAI paper: the input layer."""
    letters, phonemes = [recipe.name for recipe in results.scale.of("letter")], results.scale.of("phoneme")[0].name
    sections = []
    for name, grouping in (*((name, "letter") for name in letters[:1]), (phonemes, "predicted")):
        layer = _layer(results.profiles[name], grouping, "input")
        if groups := _shown(layer, SHOWN["letter" if grouping == "letter" else "phoneme"]):
            sections.append(
                methods_section(
                    {"NAvAI": navai(layer), "SNAP": snap(layer)},
                    groups,
                    marks=formants(),
                    title=f"NAvAI against SNAP: {name} (Figure 4)",
                    text="Aligned alike; the SNAP keeps of the contrast what the network looks at.",
                )
            )
    kept = {name: filter_groups(layer, min_count=MIN_COUNT) for name, layer in results.navai.items()}
    if kept and (groups := _shown(next(iter(kept.values())), SHOWN["letter"])):
        sections.append(navai2018.alignments_section(kept, groups, network=letters[0]))
    tree, units = results.profiles[phonemes].children["phoneme"], _layer(results.profiles[phonemes], "phoneme", "conv2")
    sections.append(saliency_section(tree, title=f"How far saliency reaches: {phonemes}"))
    sections.append(units_section(units, title=f"Units of conv2: {phonemes}"))
    return Section("The input layer (SNAP, section 5.2; NAvAI, Figure 3)", sections=sections)


def side_by_side(results: Reproduction, seed: int) -> Section:
    """Section 5.3: silhouettes of phonemes, and networks compared layer by layer."""
    sweeps = {recipe.name: _sweep(results.profiles[recipe.name], "phoneme") for recipe in results.scale.recipes}
    rows: list[list[object]] = []
    for name, sweep in sweeps.items():
        means = {} if sweep is None else mean_silhouette(sweep).to_series().to_dict()
        rows.extend(
            [name, layer, float(means[layer]), SILHOUETTES.get((name, layer))]
            for layer in ("conv4", DEEPEST, "logits")
            if layer in means
        )
    table = Table(
        ["network", "layer", "here", "paper"], rows,
        caption="Mean silhouette of phonemes over the four thresholds. The paper expects phonemes of transfer-learned "
        "networks to cluster best at the depth of transfer, layer 5.",
    )  # fmt: skip
    letters = results.scale.of("letter")
    # Where there is but one letter network, it is set beside the phoneme network that it starts from.
    compared = [recipe.name for recipe in (letters if len(letters) > 1 else results.scale.recipes)]
    sections: Sequence[Section] = ()
    if len(compared) > 1 and all(sweeps[name] is not None for name in compared):
        trees = {name: results.profiles[name].children["phoneme"] for name in compared}
        comparison = compare_models(trees, min_count=MIN_COUNT, n_permutations=results.scale.n_permutations, seed=seed)
        sections = comparison_sections(comparison, transferred=DEEPEST)
    return Section("Networks side by side (SNAP, section 5.3)", [table], sections=sections)


def letters_and_phonemes(results: Reproduction) -> Section:
    """Section 5.4, Figures 8 to 10: silhouettes of letters beside those of phonemes."""
    sections = []
    for recipe in results.scale.of("letter"):
        blocks: list[Block] = []
        columns: dict[str, dict[Any, float]] = {}
        for grouping in ("letter", "phoneme"):
            sweep = _sweep(results.profiles[recipe.name], grouping)
            if sweep is None:
                blocks.append(f"{recipe.name} has fewer than {FEWEST} {grouping}s of {MIN_COUNT} epochs or more.")
                continue
            drawn = figure_of(plot_silhouettes(sweep, title=f"{grouping}s"))
            blocks.append(Picture(drawn, f"Silhouettes of {grouping}s over the layers of {recipe.name}"))
            columns[f"{grouping}s"] = mean_silhouette(sweep).to_series().to_dict()
        layers = next(iter(columns.values()), {})
        rows: list[list[object]] = [[layer, *(float(by[layer]) for by in columns.values())] for layer in layers]
        blocks.append(Table(["layer", *columns], rows, caption="Mean over the thresholds"))
        sections.append(Section(recipe.name, blocks))
    text = "The paper: letters cluster better than phonemes in all but the last two layers."
    return Section("Letters against phonemes (SNAP, section 5.4)", [text], sections=sections)


def wanted_rows(results: Reproduction) -> list[tuple[str, float, float, bool]]:
    """Bounds of the scale: measure, value here, bound, and whether it is reached."""
    wanted = results.scale.wanted
    if wanted is None:
        return []
    rows = []
    for name, highest in wanted.error_rates.items():
        here = float(results.facts[name]["error_rate"])
        rows.append((f"{name}: symbol error rate, at most", here, highest, here <= highest))
    least = [
        (f"{name}: frames averaged, at least", float(Provenance.of(tree).n_frames or 0), float(wanted.n_frames))
        for name, tree in results.profiles.items()
    ]
    for recipe in results.scale.of("phoneme"):
        peak, near = _accuracy(results, recipe.name, "aligned"), _accuracy(results, recipe.name, "window")
        least.append((f"{recipe.name}: predicted phoneme at the peak, at least", peak, wanted.at_peak))
        least.append(
            (f"{recipe.name}: predicted phoneme within two steps of the peak, at least", near, wanted.near_peak)
        )
    return [*rows, *((name, here, bound, here >= bound) for name, here, bound in least)]


def reached(results: Reproduction) -> list[Section]:
    """Table of the bounds, for scales that have some."""
    rows = wanted_rows(results)
    if not rows:
        return []
    content: list[Block] = [
        Table(
            ["measure", "here", "wanted", "reached"],
            [[name, here, wanted, "yes" if enough else "no"] for name, here, wanted, enough in rows],
            caption="On speakers and sentences that no network was trained on; silences are not scored.",
        )
    ]
    for recipe in results.scale.of("phoneme"):
        centre, peak = _accuracy(results, recipe.name, "centre"), _accuracy(results, recipe.name, "aligned")
        better = "the unaligned centre does better" if centre > peak else "alignment does better than the centre"
        content.append(
            f"{recipe.name}: the predicted phoneme is annotated at the centre of {100 * centre:.1f} % of the frames "
            f"and at the peak of {100 * peak:.1f} %: {better}."
        )
    return [Section("What was wanted of this demonstration", content)]


def _accuracy(results: Reproduction, name: str, criterion: str) -> float:
    return float(results.alignments[name]["accuracy"].sel(criterion=criterion))


def _sweep(tree: xr.DataTree, grouping: str) -> xr.DataArray | None:
    """Silhouettes without groups of few epochs; None where too few groups are left to cluster."""
    counts = next(iter(tree.children[grouping].children.values()))["count"]
    if int((counts >= MIN_COUNT).sum()) < FEWEST:
        return None
    return silhouette_sweep(filter_groups(tree.children[grouping], min_count=MIN_COUNT))


def _layer(tree: xr.DataTree, grouping: str, layer: str) -> xr.Dataset:
    """Profiles of one layer, without groups of few epochs."""
    return filter_groups(tree.children[grouping].children[layer].to_dataset(), min_count=MIN_COUNT)


def _shown(layer: xr.Dataset, wanted: Sequence[str]) -> list[str]:
    """The wanted groups, or the four largest where these are missing."""
    there = [str(group) for group in layer["group"].values]
    chosen = [group for group in wanted if group in there]
    order = np.argsort(-layer["count"].values, kind="stable")
    return chosen if len(chosen) >= 2 else [there[place] for place in order[:4]]
