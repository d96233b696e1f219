"""A chart of results: how many times less a case costs than its peer, a bar each, as SVG."""
from html import escape

BAR, GAP, LEFT, WIDTH, TOP = 14, 4, 170, 460, 54
COLOURS = ("#2a6f97", "#89c2d9")


def draw(title, groups, series, marks):
    """groups: [(name, [times less, one of each series; None: not measured])]; marks: [(times, what it says)]."""
    most = max([value for _, values in groups for value in values if value] + [mark for mark, _ in marks]) * 1.05
    line_height = len(series) * BAR + GAP + 6
    height = TOP + len(groups) * line_height + 24

    def x(value):
        return LEFT + value / most * WIDTH
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="white"/><text x="12" y="20" font-size="14">{escape(title)}</text>']
    for i, name in enumerate(series):
        out.append(f'<rect x="{12 + i * 130}" y="30" width="12" height="12" fill="{COLOURS[i]}"/>'
                   f'<text x="{30 + i * 130}" y="40">{escape(name)}</text>')
    for times, says in marks:
        out.append(f'<line x1="{x(times):.1f}" y1="{TOP - 6}" x2="{x(times):.1f}" y2="{height - 20}" stroke="#999" '
                   f'stroke-dasharray="3 3"/><text x="{x(times):.1f}" y="{height - 6}" text-anchor="middle" fill="#666">{escape(says)}</text>')
    for row, (name, values) in enumerate(groups):
        top = TOP + row * line_height
        out.append(f'<text x="{LEFT - 8}" y="{top + line_height / 2:.0f}" text-anchor="end">{escape(name)}</text>')
        for i, value in enumerate(values):
            if value:
                y = top + i * BAR
                out.append(f'<rect x="{LEFT}" y="{y}" width="{x(value) - LEFT:.1f}" height="{BAR - 2}" fill="{COLOURS[i]}"/>'
                           f'<text x="{x(value) + 4:.1f}" y="{y + BAR - 4}" font-size="11">{value:.1f}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def times_less(rows, metric="cpu_s_per_million"):
    """By case, of rows of results: how many times the peer's cost is ours."""
    return {row["case"]: 1 / row["ratio"] for row in rows if row["metric"] == metric}
