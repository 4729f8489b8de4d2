"""The page of a reproduction, in the order of the SNAP paper, each number beside the paper's own."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from snaps.clustering import compare_models, mean_silhouette, silhouette_sweep
from snaps.experiments import papers
from snaps.experiments.made import Reproduction
from snaps.experiments.scales import TRANSFERRED
from snaps.figures import (
    figure_of,
    plot_learning_curves,
    plot_silhouettes,
)
from snaps.figures.marks import formants
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

#: Groups of fewer epochs are left out of figures and clusters: their means are not to be trusted.
MIN_COUNT = 20
#: Groups that a clustering needs.
FEWEST = 3
#: Groups that stand for others where a figure shows few (SNAP, Figure 4: letters above phonemes).
SHOWN = {"letter": ("a", "e", "s", "t"), "phoneme": ("iy", "ae", "s", "t")}
DEEPEST = f"conv{TRANSFERRED}"


def draw(made: Reproduction, *, seed: int) -> None:
    """Write the page of a reproduction."""
    sections = [
        _networks(made),
        Section("Alignment (SNAP, section 5.1)", [_alignment_table(made)], sections=_alignments(made)),
        Section("The input layer (SNAP, section 5.2; NAvAI, Figure 3)", sections=_input_layer(made)),
        Section(
            "Networks side by side (SNAP, section 5.3)", [_silhouette_table(made)], sections=_comparison(made, seed)
        ),
        *([_letters_and_phonemes(made)] if made.of("letter") else []),
    ]
    write_report(
        made.profiles, made.page, layers=("conv4", DEEPEST), min_count=MIN_COUNT, sections=sections, last=_wanted(made),
        title=f"The SNAP and NAvAI papers on {made.corpus}, scale {made.scale.name}", overwrite=True,
    )  # fmt: skip


def _networks(made: Reproduction) -> Section:
    rows: list[list[object]] = []
    for recipe in made.scale.recipes:
        facts = made.facts[recipe.name]
        begins = {"scratch": "nothing", "frozen": f"{recipe.source}, lower {TRANSFERRED} layers frozen"}.get(
            recipe.kind, f"{recipe.source}, normalisation left alone"
        )
        rows.append([
            recipe.name, recipe.labels, begins, int(facts["epochs"]), float(facts["error_rate"]),
        ])  # fmt: skip
    figure = figure_of(plot_learning_curves(made.curves))
    return Section(
        "Networks (SNAP, section 4.2, Tables 1 and 2)",
        [
            f"Corpus: {made.corpus}. Width: {made.scale.width} filters in the narrow layers, where the paper's "
            "networks have 256. Another corpus and smaller networks give other numbers than the paper; what is "
            "compared is whether the pattern is the same.",
            Table(["network", "labels", "begins with", "epochs", "symbol error rate (test part)"], rows),
            Picture(figure, "Symbol error rates over epochs", "On speakers of the training part that were set aside."),
        ],
    )


def _alignment_table(made: Reproduction) -> Table:
    rows: list[list[object]] = []
    for name, found in made.alignments.items():
        if "accuracy" not in found:
            continue
        accuracy = found["accuracy"]
        offsets = found["offsets"]
        exact = int(((offsets.sel(offset=0) / offsets.sum("offset")) > 0.5).sum())
        here = {
            **{str(c): f"{100 * float(accuracy.sel(criterion=c)):.1f} %" for c in accuracy["criterion"].values},
            "offset": f"{float(found['mean_offset_ms']):.0f} ms",
            "majority": f"{exact} of {found.sizes['symbol']}",
        }
        names = {
            "centre": "centre of the frame", "aligned": "at the peak", "window": "within ± 2 steps (16 ms)",
            "ceiling": "anywhere in the frame", "offset": "mean offset", "majority": "symbols mostly without offset",
        }  # fmt: skip
        for key, words in names.items():
            rows.append([name, words, here[key], papers.ALIGNMENT.get(name, {}).get(key, "")])
    return Table(["network", "the predicted phoneme is annotated", "here", "paper"], rows)


def _alignments(made: Reproduction) -> list[Section]:
    return [
        Section(name, section.content, sections=section.sections)
        for name, found in made.alignments.items()
        for section in alignment_sections(found)
    ]


def _input_layer(made: Reproduction) -> list[Section]:
    letters, phonemes = [recipe.name for recipe in made.of("letter")], made.of("phoneme")[0].name
    sections = []
    for name, grouping in (*((name, "letter") for name in letters[:1]), (phonemes, "predicted")):
        layer = _layer(made.profiles[name], grouping, "input")
        groups = _shown(layer, SHOWN["letter" if grouping == "letter" else "phoneme"])
        if groups:
            sections.append(
                methods_section(
                    {"NAvAI": navai(layer), "SNAP": snap(layer)},
                    groups,
                    marks=formants(),
                    title=f"NAvAI against SNAP: {name} (Figure 4)",
                    text="Aligned alike; the SNAP keeps of the contrast what the network looks at.",
                )
            )
    kept = {name: _layer(tree, "letter", "input") for name, tree in made.navai.items()}
    groups = _shown(next(iter(kept.values())), SHOWN["letter"]) if kept else []
    if groups:
        sections.append(
            methods_section(
                {name: navai(layer) for name, layer in kept.items()},
                groups,
                title=f"Alignments of NAvAIs: {letters[0]} (NAvAI, Figure 3)",
                text="Unaligned means, and means aligned at the smallest and largest sensitivity and the largest LRP.",
            )
        )
    tree = made.profiles[phonemes].children["phoneme"]
    sections.append(saliency_section(tree, title=f"How far saliency reaches: {phonemes}"))
    sections.append(
        units_section(_layer(made.profiles[phonemes], "phoneme", "conv2"), title=f"Units of conv2: {phonemes}")
    )
    return sections


def _grouping(tree: xr.DataTree, grouping: str) -> xr.DataTree | None:
    """Profiles of one grouping without groups of few epochs; None where too few groups are left to cluster."""
    counts = next(iter(tree.children[grouping].children.values()))["count"]
    if int((counts >= MIN_COUNT).sum()) < FEWEST:
        return None
    kept: xr.DataTree = filter_groups(tree.children[grouping], min_count=MIN_COUNT)  # type: ignore[assignment]
    return kept


def _layer(tree: xr.DataTree, grouping: str, layer: str) -> xr.Dataset:
    """Profiles of one layer, without groups of few epochs."""
    return filter_groups(tree.children[grouping].children[layer].to_dataset(), min_count=MIN_COUNT)


def _shown(layer: xr.Dataset, wanted: Sequence[str]) -> list[str]:
    """The wanted groups, or the largest ones where they are missing."""
    there = [str(group) for group in layer["group"].values]
    chosen = [group for group in wanted if group in there]
    if len(chosen) >= 2:
        return chosen
    order = np.argsort(-layer["count"].values, kind="stable")
    return [there[place] for place in order[:4]]


def _silhouette_table(made: Reproduction) -> Table:
    rows: list[list[object]] = []
    for recipe in made.scale.recipes:
        kept = _grouping(made.profiles[recipe.name], "phoneme")
        if kept is None:
            continue
        means = mean_silhouette(silhouette_sweep(kept))
        for layer in ("conv4", DEEPEST, "logits"):
            if layer in means["layer"].values:
                here = float(means.sel(layer=layer))
                rows.append([recipe.name, layer, here, papers.SILHOUETTES.get((recipe.name, layer))])
    return Table(
        ["network", "layer", "here", "paper"], rows,
        caption="Mean silhouette of phonemes over the four thresholds. The paper expects phonemes of transfer-learned "
        "networks to cluster best at the depth of transfer, layer 5.",
    )  # fmt: skip


def _comparison(made: Reproduction, seed: int) -> list[Section]:
    letters = made.of("letter")
    # Where there is but one letter network, it is set beside the phoneme network that it starts from.
    compared = letters if len(letters) > 1 else made.scale.recipes
    trees = {recipe.name: made.profiles[recipe.name].children["phoneme"] for recipe in compared}
    enough = [name for name in trees if _grouping(made.profiles[name], "phoneme") is not None]
    if len(enough) < max(2, len(trees)):
        return []
    comparison = compare_models(trees, min_count=MIN_COUNT, n_permutations=made.scale.shuffled, seed=seed)
    return comparison_sections(comparison, transferred=DEEPEST)


def _letters_and_phonemes(made: Reproduction) -> Section:
    """Silhouettes of letters beside those of phonemes (SNAP, section 5.4, Figures 8 to 10)."""
    sections = []
    for recipe in made.of("letter"):
        pictures: list[Block] = []
        few: list[Block] = []
        columns: dict[str, dict[str, float]] = {}
        for grouping in ("letter", "phoneme"):
            kept = _grouping(made.profiles[recipe.name], grouping)
            if kept is None:
                few.append(f"{recipe.name} has fewer than {FEWEST} {grouping}s of {MIN_COUNT} epochs or more.")
                continue
            sweep = silhouette_sweep(kept)
            drawn = figure_of(plot_silhouettes(sweep, title=f"{grouping}s"))
            pictures.append(Picture(drawn, f"Silhouettes of {grouping}s over the layers of {recipe.name}"))
            columns[f"{grouping}s"] = {str(layer): v for layer, v in mean_silhouette(sweep).to_series().items()}
        layers = next(iter(columns.values()), {})
        rows: list[list[object]] = [[layer, *(by[layer] for by in columns.values())] for layer in layers]
        sections.append(
            Section(
                recipe.name,
                [
                    *pictures,
                    *few,
                    Table(["layer", *columns], rows, caption="Mean over the thresholds"),
                ],
            )
        )
    text = "The paper: letters cluster better than phonemes in all but the last two layers."
    return Section("Letters against phonemes (SNAP, section 5.4)", [text], sections=sections)


def wanted_rows(made: Reproduction) -> list[tuple[str, float, float, bool]]:
    """What the networks should reach: the measure, what came out, what is wanted, and whether it is reached."""
    wanted = made.scale.wanted
    if wanted is None:
        return []
    rows = []
    for name, highest in wanted.error_rates.items():
        here = float(made.facts[name]["error_rate"])
        rows.append((f"{name}: symbol error rate, at most", here, highest, here <= highest))
    for name, tree in made.profiles.items():
        n_frames = int(tree.attrs["n_frames"])
        rows.append((f"{name}: frames averaged, at least", n_frames, wanted.n_frames, n_frames >= wanted.n_frames))
    for recipe in made.of("phoneme"):
        accuracy = made.alignments[recipe.name]["accuracy"]
        for criterion, words, least in (
            ("aligned", "predicted phoneme at the peak", wanted.at_peak),
            ("window", "predicted phoneme within two steps of the peak", wanted.near_peak),
        ):
            here = float(accuracy.sel(criterion=criterion))
            rows.append((f"{recipe.name}: {words}, at least", here, least, here >= least))
    return rows


def _wanted(made: Reproduction) -> list[Section]:
    rows = wanted_rows(made)
    if not rows:
        return []
    content: list[Block] = [
        Table(
            ["measure", "here", "wanted", "reached"],
            [[name, here, wanted, "yes" if reached else "no"] for name, here, wanted, reached in rows],
            caption="On speakers and sentences that no network was trained on; silences are not scored.",
        )
    ]
    for recipe in made.of("phoneme"):
        accuracy = made.alignments[recipe.name]["accuracy"]
        centre, peak = (float(accuracy.sel(criterion=criterion)) for criterion in ("centre", "aligned"))
        better = "the unaligned centre does better" if centre > peak else "alignment does better than the centre"
        content.append(
            f"{recipe.name}: the predicted phoneme is annotated at the centre of {100 * centre:.1f} % of the frames "
            f"and at the peak of {100 * peak:.1f} %: {better}."
        )
    return [Section("What was wanted of this demonstration", content)]
