"""One figure style for the course: colour-blind safe, readable in grey, on phones and on dark pages."""

import matplotlib as mpl
from cycler import cycler

# Okabe and Ito's palette without yellow; line styles differ too, so that grey print can be read.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1))]


def style():
    """Use the course's figure style from here on."""
    mpl.rcParams.update({
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
        "figure.figsize": (6.4, 3.8), "figure.dpi": 110, "figure.facecolor": "white",
        "figure.constrained_layout.use": True, "savefig.facecolor": "white",
        "font.size": 11, "axes.titlesize": 11, "legend.fontsize": 9.5, "legend.frameon": False,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": "#d9d9d9", "grid.linewidth": 0.6, "lines.linewidth": 1.8,
    })
