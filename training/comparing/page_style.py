"""The colors of runs on the page of a comparison, and what else it adds to the style of reports.

Eight colors that are told apart with any kind of color blindness, after Okabe and Ito (2008), in
shades for light and dark screens; further runs have them with dashes.
"""

from __future__ import annotations

from .contender import MOST

_LIGHT = (
    "#0072b2", "#c8500a", "#00805e", "#a2508a", "#8f6a00", "#2d8fc9", "#444c56", "#7a5a3a",
)  # fmt: skip
_DARK = (
    "#5fb0e8", "#ff9152", "#3fd0a0", "#e88fc6", "#f0c048", "#a9dbff", "#c8ced6", "#c9a57e",
)  # fmt: skip
_DASHES = ("none", "7 4", "2 3")


def _runs(colors: tuple[str, ...]) -> str:
    return "\n".join(
        f".r{place} {{ --run: {colors[place % len(colors)]}; }}" for place in range(MOST)
    )


_HIDDEN = "\n".join(
    f"body:has(#show{place}:not(:checked)) svg .r{place} {{ display: none; }}"
    for place in range(MOST)
)
_DASHED = "\n".join(
    f".r{place} {{ --dashes: {_DASHES[place // len(_LIGHT)]}; }}" for place in range(MOST)
)

COMPARISON_STYLE = f"""
{_runs(_LIGHT)}
@media (prefers-color-scheme: dark) {{ {_runs(_DARK)} }}
{_DASHED}
{_HIDDEN}
svg .run .curve {{ stroke: var(--run); stroke-dasharray: var(--dashes); }}
svg .run .band {{ fill: var(--run); opacity: .16; stroke: none; }}
svg .run .near {{ fill: none; stroke: transparent; stroke-width: 9; pointer-events: all; }}
svg .run circle.near {{ stroke: none; fill: transparent; }}
svg .run circle.near:hover {{ fill: var(--run); }}
svg .run .end, svg .run .point {{ fill: var(--run); stroke: none; }}
svg .run .whisker {{ stroke: var(--run); stroke-width: 1.6; }}
svg .run .seed {{ fill: none; stroke: var(--run); stroke-width: 1.2; }}
svg .run .leader {{ fill: none; stroke: var(--run); stroke-width: .8; opacity: .5; }}
svg .run text {{ fill: var(--run); font-weight: 600; font-size: 12px; }}
svg:has(g.run:hover) g.run:not(:hover) {{ opacity: .22; }}
svg g.run:hover .curve {{ stroke-width: 3.4; }}
#results th, #results td {{ padding: .25rem .45rem; }}
#results td:nth-child(5) {{ white-space: normal; min-width: 8.5rem; }}
svg.forest {{ width: 7.5rem; height: 1.1rem; display: block; }}
.keys {{ display: flex; flex-wrap: wrap; gap: .15rem 1rem; padding: .4rem 0; margin: 0 0 .75rem;
  border: 0; background: var(--page); font-size: .9375rem; }}
.keys legend {{ float: left; padding: 0; margin-right: 1rem; color: var(--faint); }}
.keys label {{ display: inline-flex; align-items: center; gap: .35rem; cursor: pointer; }}
.keys input {{ accent-color: var(--run); margin: 0; width: 1rem; height: 1rem; }}
.key {{ display: inline-block; width: 1.7rem; height: .7rem; margin-right: .45rem;
  vertical-align: baseline; flex: none; }}
.charts .key {{ width: 1.7rem; display: inline-block; }}
.key path {{ stroke: var(--run); stroke-width: 3; stroke-dasharray: var(--dashes); fill: none; }}
#results tbody th, #runs tbody th, #runs td {{ white-space: nowrap; }}
.sure {{ font-weight: 600; }}
.better {{ color: var(--one); }} .worse {{ color: var(--two); }}
td.other {{ font-weight: 600; }}
pre .plus {{ color: var(--one); }} pre .minus {{ color: var(--two); }}
.changes td.right {{ font-weight: inherit; }}
.confusion td.zero {{ color: var(--faint); }}
ul.said {{ padding-left: 1.1rem; max-width: 48rem; }} ul.said li {{ margin: .35rem 0; }}
.unseen {{ display: flex; align-items: center; justify-content: center; aspect-ratio: 1;
  border: 1px dashed var(--line); border-radius: .35rem; color: var(--faint);
  font-size: .8rem; text-align: center; overflow-wrap: anywhere; padding: .3rem; }}
@media (max-width: 30rem) {{ svg.forest {{ width: 6rem; }} }}
"""
