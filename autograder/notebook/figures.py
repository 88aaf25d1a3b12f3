"""One figure style for the course: colour-blind safe, readable in grey, on phones and on dark pages.

A phone shows a figure 382 CSS pixels wide: at 5.4 inches 11 points are 10.8 of them.
"""

import matplotlib as mpl
from cycler import cycler

# Okabe and Ito's palette without yellow, and with Paul Tol's wine for its sky blue, which is too pale on white (2.3 to 1);
# line styles differ too, so that grey print can be read.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#882255", "#000000"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]


def style():
    """Use the course's figure style from here on."""
    mpl.rcParams.update({
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
        "figure.figsize": (5.4, 3.6), "figure.dpi": 110, "figure.facecolor": "white",
        "figure.constrained_layout.use": True, "savefig.facecolor": "white",
        "font.size": 11.5, "axes.titlesize": 11.5, "legend.fontsize": 11, "legend.frameon": False,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": "#d9d9d9", "grid.linewidth": 0.6, "lines.linewidth": 1.8,
    })
