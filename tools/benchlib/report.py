"""The table, as Markdown for docs/benchmarks.md and as JSON."""

import os
import platform
import statistics
from datetime import date


def median_rows(results, subjects):
    """results[subject] is a list of runs, each a list of Measurement -> rows of (figure, unit, better, {subject: (median, min, max)})."""
    order, values = [], {}
    for subject in subjects:
        for run in results[subject]:
            for measurement in run:
                if measurement.figure not in values:
                    order.append((measurement.figure, measurement.unit, measurement.better))
                    values[measurement.figure] = {name: [] for name in subjects}
                values[measurement.figure][subject].append(measurement.value)
    rows = []
    for figure, unit, better in order:
        cells = {name: (statistics.median(taken), min(taken), max(taken)) for name, taken in values[figure].items() if taken}
        rows.append((figure, unit, better, cells))
    return rows


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, Linux {platform.release()}"


def markdown(rows, subjects, runs, settings):
    reference = subjects[0]
    lines = [
        f"Taken {date.today().isoformat()} by `tools/bench`: {machine()}; client and all servers on one machine and one disk; "
        f"{settings.size_mib} MiB files, {settings.files} files for metadata and small files; {runs} run(s), all subjects in turn in each. "
        "Median, and (minimum-maximum) where there was more than one run. All caches are dropped before the rows that say cold, "
        "before random reads, stat, and reads of small files; for CairnFS that includes a fresh mount.",
        "",
        "| figure | unit | " + " | ".join(subjects) + f" | cairn / {reference} |",
        "|---|---|" + "---:|" * (len(subjects) + 1),
    ]
    for figure, unit, _, cells in rows:
        texts = []
        for name in subjects:
            if name not in cells:
                texts.append("")
                continue
            median, low, high = cells[name]
            texts.append(number(median) + (f" ({number(low)}-{number(high)})" if runs > 1 else ""))
        ratio = ""
        if "cairn" in cells and reference in cells and cells[reference][0] > 0:
            ratio = f"{cells['cairn'][0] / cells[reference][0]:.2f}"
        lines.append(f"| {figure} | {unit} | " + " | ".join(texts) + f" | {ratio} |")
    return "\n".join(lines) + "\n"


def as_json(rows, runs, settings):
    return {
        "machine": machine(), "runs": runs, "settings": vars(settings),
        "figures": [{"figure": figure, "unit": unit, "better": better,
                     "subjects": {name: {"median": cell[0], "min": cell[1], "max": cell[2]} for name, cell in cells.items()}}
                    for figure, unit, better, cells in rows],
    }
