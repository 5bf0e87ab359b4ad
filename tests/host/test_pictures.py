"""What is drawn can be read: by people who are colour-blind, and without words that cover others."""

import json
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy
import pytest
from matplotlib import pyplot

from faction_tools.journals.files import parse
from faction_tools.shown import palette, plots, simulated
from faction_tools.shown.page import page
from faction_tools.simulator.campaign import Campaign, outcomes
from faction_tools.simulator.history import history
from faction_tools.simulator.scenario import load
from faction_tools.simulator.simulation import Simulation

# What people without one kind of cone see of a colour, in linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency", 2009, at a severity of 1.
EYES = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]  # from linear sRGB, in daylight
WHITE = [0.9505, 1, 1.089]
APART = 15  # in CIE 1976 L*a*b*; two colours side by side differ for the eye from about 2 on, a bar and the legend need far more


def linear(colour):
    """Return the linear red, green and blue of #rrggbb."""
    parts = numpy.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return numpy.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def seen(colour, eyes):
    """Return L*, a* and b* of a colour for such eyes."""
    light = numpy.clip(numpy.array(EYES[eyes]) @ linear(colour), 0, 1)
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in numpy.array(TO_XYZ) @ light / WHITE)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(
    "colours",
    [
        [*palette.COLOURS.values(), palette.OFF_COLOUR],
        [*palette.AIR_COLOURS],
        [palette.UNKNOWN_COLOUR, *palette.WAY_COLOURS, palette.OWN_COLOUR],
    ],
    ids=["states", "airs", "ways"],
)
def test_colours_differ_for_everybody(colours, eyes):
    differences = {(a, b): numpy.linalg.norm(seen(a, eyes) - seen(b, eyes)) for a, b in combinations(colours, 2)}
    assert min(differences.values()) >= APART, min(differences.items(), key=lambda item: item[1])


def contrast(one, other):
    """Return the contrast of two colours, as WCAG 2 defines it: 1 to 21."""
    light, dark = sorted((float(numpy.dot(TO_XYZ[1], linear(colour))) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [*palette.COLOURS.values(), palette.OFF_COLOUR, "#ffffff", "#000000"])
def test_words_on_each_colour_can_be_read(colour):
    assert contrast(colour, palette.ink(colour)) >= 4.5  # what WCAG 2 asks for words of this size


def test_the_words_of_a_page_are_in_these_colours():
    data = page(history(Simulation("greenhouse", 1, record=True).run())).partition("const run = ")[2]
    run = json.JSONDecoder().raw_decode(data)[0]
    assert run["inks"].keys() == run["colours"].keys() == run["states"].keys()
    assert all(run["inks"][state] == palette.ink(colour) for state, colour in run["colours"].items())


@pytest.fixture(scope="module")
def drawn():
    """Return a function that draws something, and returns its figure, laid out."""
    figures = []

    def draw(how, *what):
        how(*what, Path("a.svg"))
        figures[-1].canvas.draw()
        return figures[-1]

    with pytest.MonkeyPatch.context() as patch:
        for module in (plots, simulated):
            patch.setattr(module, "save", lambda figure, path: figures.append(figure))
        yield draw
    for figure in figures:
        pyplot.close(figure)


@pytest.fixture(scope="module")
def scene(drawn):
    """Return a function that returns the figure of a shipped scenario, which is drawn once."""
    return cache(lambda name: drawn(simulated.draw_history, history(Simulation(name, 1, record=True).run())))


def legend_of(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


@pytest.mark.parametrize("name", ["brownout", "swarm", "tunnel"])
def test_no_legend_covers_what_is_drawn(scene, name):
    legends = [(axis, axis.get_legend()) for axis in scene(name).axes if axis.get_legend()]
    assert len(legends) == 4
    for axis, legend in legends:
        assert legend.get_window_extent().y0 >= axis.get_window_extent().y1 - 1


def test_the_timeline_explains_each_of_its_marks(drawn, scene):
    assert legend_of(scene("brownout").axes[0])[-3:] == ["off", "frame", "goes on"]
    late = Simulation(load("greenhouse", ["cluster.deadline_ms=1"]), 1, record=True).run()
    timeline = drawn(simulated.draw_history, history(late)).axes[0]
    assert legend_of(timeline)[-2:] == ["timed out", "frame"]


def test_the_scale_of_the_frames_is_as_high_as_the_squares(scene):
    figure = scene("swarm")
    (squares,) = [axis for axis in figure.axes if axis.get_title() == "frames that arrived"]
    (scale,) = squares.child_axes
    assert scale.get_window_extent().height == pytest.approx(squares.get_window_extent().height, rel=0.01)
    assert max(axis.get_window_extent().height for axis in (squares, scale)) < 6 * figure.dpi  # and no room is left empty for it


def test_who_told_is_promised_only_where_it_stands(scene):
    assert [legend_of(scene(name).axes[4]) for name in ("tunnel", "swarm")] == [
        ["the node itself", "another, named there"],
        ["the node itself", "another", "nobody"],
    ]


def test_a_sweep_explains_an_arrow_only_where_there_is_one(drawn):
    for runs, has_arrow in ((5, True), (300, False)):
        done = Campaign("greenhouse", runs, outcomes(load("greenhouse", ["cluster.nodes=2"]), range(runs)))
        figure = drawn(simulated.draw_sweep, "medium.loss", [(0.1, done), (0.2, done)])
        assert ("An arrow" in figure.get_suptitle()) == has_arrow
        (axis,) = figure.axes
        assert axis.get_legend().get_window_extent().y0 >= axis.get_window_extent().y1 - 1


RECORD = """\
board 0 (north) at 1795545992.630
journal 1 id=0 quorum=2 peers=0,1 dropped=0 lost=0 age_cs=644
command 0 2 -1 97
command 600 1 1 145
end 2
board 1 (south) at 1795545992.630
journal 1 id=1 quorum=2 peers=0,1 dropped=0 lost=0 age_cs=644
command 0 0 0 9
command 1 1 0 17
command 600 2 -1 225
end 3
"""


def test_no_words_of_a_record_cover_others(drawn):
    messages = drawn(plots.draw_run, list(parse(RECORD, "run.journal"))).axes[-1]
    words = [text for text in messages.texts if text.get_text()]
    assert "local participation completed: bootstrapped" in [text.get_text() for text in words]
    assert [text.get_text() for text in words].count("0 (north)") == 2  # above and below
    for one, other in combinations(words, 2):
        assert not one.get_window_extent().overlaps(other.get_window_extent()), (one, other)
