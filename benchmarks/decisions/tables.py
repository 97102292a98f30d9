"""Write what came out as Markdown: every cell, lost ones beside won ones."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, isnan

from benchmarks.decisions.bars import OURS, Finding, sound_peers, told
from benchmarks.decisions.cells import Cell
from benchmarks.decisions.losses import levels, losses
from benchmarks.decisions.outcomes import Outcomes, PeerSummary
from benchmarks.decisions.rollouts import Endings
from benchmarks.decisions.summary import Share, Summary

SCENARIOS = {
    "S1": "Errors, constant weight, an hour",
    "S2": "The canary turns bad later",
    "S3": "What befalls both sides alike",
    "S4": "Errors that come together",
    "S5": "Pods that are not alike",
    "S6": "Scrapes, restarts and outages: the whole way over a Prometheus API",
    "S7": "Latency",
    "S8": "Drift of predictions, canary against stable, 20 looks",
    "S9": "Labels that come late",
    "S10": "Many signals",
    "S11": "Gauges",
    "S12": "Silence, and traffic that is not as set",
}
BARS = {
    1: "False rollbacks at most alpha (S4, S5: 1.5 alpha), for alpha 0.05 and 0.01",
    2: "S1, a canary twice as bad or worse: median within 1.6 x the oracle's + 60 s, and 30 s of each sound peer's",
    3: "Late onset within 240 s; latency +25 % at 10/s within 180 s",
    4: "A canary at the unacceptable excess is promoted at most beta; a good one in 5 or 10 min; at 1/s at least 0.94",
    5: "Fewer failed requests until the rollback than under Flagger and Argo, wherever both roll back",
    6: "Drift: nothing flagged at shifts of 0 and 0.05; a shift of 0.5 found from 200 values on",
    7: "Missing data rolls nothing back",
}


INTRODUCTION = """
# Benchmark of decisions

Written by `make bench-decisions`; do not edit. How to read it: each cell is a simulated service, and each policy meets
the same requests, replicate by replicate. *Share* is the share of replicates that were rolled back, ± its Monte-Carlo
standard error; *median* the time until half of all replicates were (- if they never were). In rows marked **null** the
canary is no worse, so that every rollback is false. Peers: that share, and the median where the canary is bad.
"""

ABBREVIATIONS = """
## Abbreviations

F99, F98: Flagger, success rate at least 99 % (10 failed checks) or 98 % (5). A95, A98: Argo Rollouts, success rate over
5 min, failureLimit 3. K10: Kayenta's NetflixACAJudge each 10 min. Fi05, Fi01: Fisher's exact test at each look. LM:
Lindon and Malek's multinomial test. mSP: Gaussian mixture SPRT. ECST: exact test with alpha spending, which is told
when the cell ends. Poc*: Fisher at the level that errs 5 % in this very cell, which nobody can know: the yardstick.
F p99, K10 p99: Flagger and Kayenta on the 99th percentile. Evidently: its default rule; Evidently PSI: that index.
CBE/edge: no other tool's, but the method that our learnt two-sample bet on drift replaced: our count process at every
edge of the histogram (of categories: each against all others), both ways, and their mean; all else, the effect that is
asked for among it, as in Serinus.
Ports and their sources: `benchmarks/peers/`.
"""


def report(outcomes: Outcomes, findings: Sequence[Finding], facts: Mapping[str, str], plots: Sequence[str]) -> str:
    """Return the whole page."""
    sound = ", ".join(sound_peers(outcomes)) or "none"
    return "\n".join(
        [
            INTRODUCTION.lstrip(),
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
            "## Bars",
            "",
            *_bars(findings),
            "",
            f"Peers that hold bar 1 in every null cell of S1 to S3 that was run: {sound}.",
            "",
            *(f"![{plot}]({plot})" for plot in plots),
            "",
            *_levels(outcomes),
            *_losses(outcomes),
            *_scenarios(outcomes),
            "## Whole rollouts, 5 → 10 → 25 → 50 → 100 %",
            "",
            *_rollouts(outcomes),
            ABBREVIATIONS,
        ]
    )


def _bars(findings: Sequence[Finding]) -> Iterator[str]:
    yield "Beyond by chance: as measured the cell is beyond its bar, by less than three Monte-Carlo standard errors."
    yield ""
    yield "| bar | findings | missed | beyond by chance |"
    yield "|---|---|---|---|"
    for bar, title in BARS.items():
        ours = [each for each in findings if each.bar == bar]
        missed = [each for each in ours if not each.holds]
        close = [each for each in ours if each.holds and not each.plainly]
        yield f"| {bar}. {title} | {len(ours)} | {len(missed) or 'none'} | {len(close) or 'none'} |"
    missed = [each for each in findings if not (each.holds and each.plainly)]
    if missed:
        yield ""
        yield "| bar | | cell | measured | wanted |"
        yield "|---|---|---|---|---|"
        for each in sorted(missed, key=lambda each: (each.holds, each.bar)):
            how = "by chance" if each.holds else "**missed**"
            yield f"| {each.bar} | {how} | {each.cell} | {each.measured} | {each.wanted} |"


def _levels(outcomes: Outcomes) -> Iterator[str]:
    yield "## Good canaries rolled back"
    yield ""
    yield "Null cells at alpha 0.05 in which peers were run too. Too many: beyond 0.05, in S4 and S5 0.075, by more"
    yield "than three Monte-Carlo standard errors. In S8 a shift of 0.05 counts as null: a trifle, but it is there."
    yield ""
    yield "| policy | null cells | too many in | worst share | in |"
    yield "|---|---|---|---|---|"
    for policy, level in levels(outcomes).items():
        yield f"| {policy} | {level.cells} | {level.beyond} | {told(level.worst)} | {level.worst_cell} |"
    yield ""


def _losses(outcomes: Outcomes) -> Iterator[str]:
    lost = losses(outcomes)
    fought = sum(not cell.null and name in outcomes.peers for name, (cell, _) in outcomes.cells.items())
    sound = sum(bool(each.sound) for each in lost)
    unsound = sum(bool(each.unsound) and not each.sound for each in lost)
    yield f"## Where {OURS} loses"
    yield ""
    yield f"Of {fought} cells with a bad canary a peer that holds bar 1 has the shorter median in {sound}, in {unsound}"
    yield f"more only peers that do not, in {len(lost) - sound - unsound} more only rules told what nobody knows. Where"
    yield "nobody has a median, clearly more rollbacks count. To hold bar 1 is to hold it in all null cells of S1 to"
    yield "S3, for cells of S4 and S5 in those of their scenario too, for histograms in those of their scenario alone."
    yield ""
    yield f"| cell | {OURS} | peers that hold bar 1 | peers that roll good canaries back | told what nobody knows |"
    yield "|---|---|---|---|---|"
    for each in lost:
        groups = " | ".join(_winners(group) for group in (each.sound, each.unsound, each.told_more))
        yield f"| {each.cell.name} | {_of(each.ours.rolled_back)} / {seconds(each.ours.median_seconds)} | {groups} |"
    yield ""


def _winners(peers: Mapping[str, PeerSummary]) -> str:
    return ", ".join(f"{name} {_of(each.rolled_back)} / {seconds(each.median_seconds)}" for name, each in peers.items())


def _scenarios(outcomes: Outcomes) -> Iterator[str]:
    for scenario, title in SCENARIOS.items():
        cells = [each for each in outcomes.cells.values() if each[0].scenario == scenario]
        if not cells:
            continue
        peers = list(dict.fromkeys(name for cell, _ in cells for name in outcomes.peers.get(cell.name, {})))
        yield f"## {scenario}: {title}"
        yield ""
        yield (
            "| "
            + " | ".join(["cell", f"{OURS} share", "median", "90 %", "≤ 60 s", "blamed", "else said last", *peers])
            + " |"
        )
        yield "|---" * (7 + len(peers)) + "|"
        for cell, summary in cells:
            yield _row(cell, summary, [outcomes.peers.get(cell.name, {}).get(peer) for peer in peers])
        yield ""


def _row(cell: Cell, summary: Summary, peers: Sequence[PeerSummary | None]) -> str:
    early = f"; {summary.early.value:.3f} too early" if cell.onset_tick else ""
    ours = [
        cell.name.removeprefix(f"{cell.scenario} ") + (" **null**" if cell.null else ""),
        f"**{told(summary.rolled_back)}**{early}",
        seconds(summary.median_seconds),
        seconds(summary.p90_seconds),
        _of(summary.within_minute) if not cell.null else "",
        ", ".join(f"{reason} {count}" for reason, count in summary.reasons),
        ", ".join(f"{reason} {count}" for reason, count in summary.last_words[:2]),
    ]
    return "| " + " | ".join([*ours, *(_peer(cell, each) for each in peers)]) + " |"


def _peer(cell: Cell, summary: PeerSummary | None) -> str:
    if summary is None:
        return ""
    if cell.null:
        return _of(summary.rolled_back)
    return f"{_of(summary.rolled_back)} / {seconds(summary.median_seconds)}"


def _rollouts(outcomes: Outcomes) -> Iterator[str]:
    policies = list(dict.fromkeys(name for _, by_policy in outcomes.rollouts.values() for name in by_policy))
    yield "Promoted @ median minutes; rolled back @ median minutes, mean failed requests until then."
    yield ""
    yield "| canary | " + " | ".join(policies) + " |"
    yield "|---" * (1 + len(policies)) + "|"
    for name, (_, by_policy) in outcomes.rollouts.items():
        told_of = [_ending(by_policy[each]) if each in by_policy else "" for each in policies]
        yield f"| {name.removeprefix('rollout ')} | " + " | ".join(told_of) + " |"


def _ending(endings: Endings) -> str:
    parts = []
    if endings.promoted.hits:
        parts.append(f"prom {_of(endings.promoted)} @ {endings.minutes_to_promote:g}")
    if endings.rolled_back.hits:
        harm = "" if isnan(endings.excess) else f", {endings.excess:.1f} failed"
        parts.append(f"rb {_of(endings.rolled_back)} @ {endings.minutes_to_roll_back:g}{harm}")
    open_ones = endings.promoted.of - endings.promoted.hits - endings.rolled_back.hits
    if open_ones:
        parts.append(f"open {open_ones / endings.promoted.of:.2f}")
    return "; ".join(parts)


def _of(share: Share) -> str:
    return f"{share.value:.3f}".lstrip("0") if 0.0 < share.value < 1.0 else f"{share.value:g}"


def seconds(value: float) -> str:
    """Write a time, or a dash for never."""
    return f"{value:g} s" if isfinite(value) else "-"
