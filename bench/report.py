"""What was measured, as a person reads it."""

import statistics


def table(headings, lines):
    """The first column to the left, all others to the right."""
    cells = [headings, *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))]).rstrip()
                     for line in cells)


median = statistics.median


def medians(figures, key=None):
    """{name: median of all rounds}"""
    return {name: median(figure[key] if key else figure for figure in found) for name, found in figures.items()}


def verdict(what, ratio, relation, target):
    met = ratio >= target if relation == "≥" else ratio <= target
    return f"{what}: {ratio:.3g} (target {relation} {target}: {'met' if met else 'MISSED'})"
