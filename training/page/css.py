"""The style sheet of the report: light and dark, for phones and large screens."""

from __future__ import annotations

from ...compiler.report.drawing.palette import FAINT, FRAME, GROUND, PAGE, TEXT

_INKS = {"page": PAGE, "text": TEXT, "faint": FAINT, "line": FRAME, "ground": GROUND}
_DAY = {"one": "#1f6fbf", "two": "#b4540f", "three": "#3f7a2c", "right": "54, 112, 184",
        "wrong": "196, 97, 29"}  # fmt: skip
_NIGHT = {"one": "#78aef0", "two": "#f0985c", "three": "#8fce7a", "right": "120, 174, 240",
          "wrong": "240, 152, 92"}  # fmt: skip


def _variables(dark: bool) -> str:
    own = _NIGHT if dark else _DAY
    inks = {name: ink.dark if dark else ink.light for name, ink in _INKS.items()}
    return "".join(f"--{name}:{value};" for name, value in {**inks, **own}.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_variables(False)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(True)} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }}
body {{ margin: 0; background: var(--page); color: var(--text); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
main, header, footer {{ max-width: 64rem; margin: 0 auto; padding: 0 1.25rem; }}
header {{ padding-top: 2rem; }}
h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.3rem; margin: 0 0 .75rem; }}
h3 {{ font-size: 1rem; margin: 1.25rem 0 .5rem; }}
p {{ max-width: 44rem; margin: .5rem 0; }}
.faint, figcaption, caption, footer {{ color: var(--faint); }}
a {{ color: var(--one); }}
nav ul {{ list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0;
  margin: 1rem 0 0; }}
nav a {{ display: inline-block; padding: .2rem 0; }}
section {{ border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.5rem; }}
footer {{ padding-top: 2rem; padding-bottom: 3rem; font-size: .875rem; }}
dl.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr));
  gap: .75rem; margin: 1.25rem 0; }}
dl.figures div {{ background: var(--ground); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .9rem; display: flex; flex-direction: column-reverse; }}
dl.figures dt {{ color: var(--faint); font-size: .875rem; }}
dl.figures dd {{ margin: 0; font-size: 1.4rem; font-weight: 600;
  white-space: nowrap; }}
dl.facts {{ display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .2rem 1rem;
  margin: 0; }}
dl.facts dt {{ color: var(--faint); }}
dl.facts dd {{ margin: 0; overflow-wrap: anywhere; min-width: 0; }}
.wide {{ overflow-x: auto; max-width: 100%; margin: .75rem 0; }}
.tall {{ max-height: 36rem; overflow: auto; border: 1px solid var(--line); border-radius: .5rem;
  text-align: center; }}
.tall img {{ max-width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9375rem; }}
th, td {{ text-align: left; padding: .25rem .75rem; border-bottom: 1px solid var(--line);
  vertical-align: middle; }}
th {{ font-weight: 600; color: var(--faint); }}
tbody th {{ color: var(--text); font-weight: normal; }}
.confusion tbody th {{ font-weight: 600; }}
.number {{ text-align: right; white-space: nowrap; }}
code, pre {{ font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }}
pre {{ background: var(--ground); border: 1px solid var(--line); border-radius: .5rem;
  padding: 1rem; overflow-x: auto; margin: .75rem 0; tab-size: 2; }}
details {{ margin: .75rem 0; }}
summary {{ cursor: pointer; color: var(--one); padding: .2rem 0; }}
.hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }}
figure {{ margin: 0; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  gap: 1.25rem; }}
.charts svg {{ width: 100%; max-width: 38rem; height: auto; display: block; }}
.charts h3 {{ margin-top: 0; }}
svg text {{ fill: var(--faint); font-size: 13px; font-family: inherit; }}
svg .bar {{ fill: var(--one); opacity: .75; }}
svg .grid {{ stroke: var(--line); stroke-width: 1; opacity: .6; }}
svg .best {{ stroke: var(--faint); stroke-dasharray: 3 4; }}
svg .mark {{ stroke: var(--text); stroke-dasharray: 1 4; }}
svg .guess {{ stroke: var(--faint); stroke-width: 1.5; stroke-dasharray: 7 4; }}
svg .curve {{ fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }}
svg .one {{ stroke: var(--one); }} svg .two {{ stroke: var(--two); }}
svg .three {{ stroke: var(--three); stroke-dasharray: 6 4; }}
svg text.three {{ fill: var(--three); stroke: none; font-weight: 600; }}
svg .bar {{ fill: var(--one); opacity: .55; }}
svg text.one {{ fill: var(--one); stroke: none; font-weight: 600; }}
svg text.two {{ fill: var(--two); stroke: none; font-weight: 600; }}
svg .dots {{ fill: none; stroke-width: 5; stroke-linecap: round; opacity: .45; }}
svg .dot {{ opacity: .6; }}
svg circle.one {{ fill: var(--one); stroke: none; }} svg circle.two {{ fill: var(--two);
  stroke: none; }}
.confusion td {{ text-align: right; min-width: 2.4rem; padding: .25rem .4rem;
  border: 1px solid var(--page); }}
.confusion td.right {{ background: rgba(var(--right), var(--share)); font-weight: 600; }}
.confusion td.wrong {{ background: rgba(var(--wrong), var(--share)); }}
.confusion tbody th, .confusion thead th {{ border: 0; padding: .25rem .4rem; }}
.confusion tbody th {{ min-width: 4rem; max-width: 12rem; overflow-wrap: anywhere; }}
.confusion thead th {{ text-align: right; vertical-align: bottom; }}
.confusion thead th.long {{ writing-mode: vertical-rl; transform: rotate(180deg);
  text-align: left; max-height: 14rem; overflow-wrap: anywhere; padding: .4rem .25rem; }}
.confusion tbody th {{ text-align: right; position: sticky; left: 0; background: var(--page); }}
.confusion td.none {{ color: var(--faint); }}
.meter {{ display: inline-block; width: 5rem; margin-right: .6rem; height: .5rem;
  border-radius: .25rem; background: var(--line); overflow: hidden; vertical-align: middle; }}
.meter span {{ display: block; height: 100%; background: var(--one); }}
.gallery {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr));
  gap: 1rem; margin: 1rem 0; padding: 0; list-style: none; }}
.gallery.pairs {{ grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }}
.gallery img {{ width: 100%; height: auto; border-radius: .35rem; border: 1px solid var(--line);
  display: block; background: var(--ground); }}
.gallery.quads {{ grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); }}
.quad {{ display: grid; grid-template-columns: repeat(4, 1fr); gap: .35rem; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .75rem 0;
  list-style: none; font-size: .875rem; }}
.swatch {{ display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem;
  margin-right: .4rem; vertical-align: -.08rem; border: 1px solid var(--line); }}
.named {{ white-space: nowrap; }}
.pair {{ display: grid; grid-template-columns: 1fr 1fr; gap: .35rem; }}
.gallery figcaption {{ font-size: .875rem; line-height: 1.35; margin-top: .35rem;
  overflow-wrap: anywhere; }}
.gallery strong {{ color: var(--text); }}
img.pixels {{ image-rendering: pixelated; }}
img.matrix {{ width: 100%; height: auto; max-width: 40rem;
  border: 1px solid var(--line); border-radius: .35rem; display: block; }}
.filters {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(3.25rem, 1fr));
  gap: .6rem .5rem; margin: 1rem 0; padding: 0; list-style: none; max-width: 48rem; }}
.filters.wide {{ grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }}
.filters img {{ width: 100%; height: auto; display: block; border: 1px solid var(--faint); }}
.filters figcaption {{ font-size: .75rem; text-align: center; line-height: 1.5; }}
.verdict {{ border-left: 4px solid var(--two); background: var(--ground); padding: .6rem .9rem;
  max-width: 48rem; }}
.enlarge {{ display: block; width: 100%; padding: 0; border: 0; background: none; cursor: zoom-in;
  font: inherit; color: inherit; text-align: inherit; }}
.large {{ border: 1px solid var(--line); border-radius: .5rem; background: var(--page);
  color: var(--text); padding: 1rem; max-width: 96vw; max-height: 94vh; overflow: auto; }}
.large::backdrop {{ background: rgba(0, 0, 0, .6); }}
.large .row {{ display: flex; flex-wrap: wrap; gap: 1rem; justify-content: center; }}
.large .row figure {{ flex: none; width: min(24rem, 84vw); }}
.large .row img {{ width: 100%; height: auto; border-radius: .35rem; display: block; }}
.large .row figcaption {{ margin-top: .35rem; overflow-wrap: anywhere; }}
.close {{ position: sticky; bottom: 0; display: block; margin-left: auto; font: inherit;
  color: var(--text); background: var(--ground); padding: .3rem 1rem;
  border: 1px solid var(--line); border-radius: .35rem; }}
.scale {{ display: flex; align-items: center; gap: .6rem; font-size: .875rem;
  color: var(--faint); }}
.scale .bar {{ width: 10rem; height: .8rem; border-radius: .2rem; border: 1px solid var(--line); }}
@media (min-width: 48rem) {{ .large .row figure {{ width: min(24rem, 29vw); }}
  .large .row.four figure {{ width: min(24rem, 43vw); }} }}
@media print {{ .tall {{ max-height: none; }} section {{ break-inside: avoid-page; }} }}
@media (max-width: 30rem) {{
  body {{ font-size: 15px; }} main, header, footer {{ padding-left: 1rem; padding-right: 1rem; }}
  .gallery {{ grid-template-columns: repeat(auto-fill, minmax(6.5rem, 1fr)); gap: .75rem; }}
  .gallery.quads {{ grid-template-columns: 1fr; }} .quad {{ grid-template-columns: 1fr 1fr; }}
  dl.figures dd {{ font-size: 1.25rem; }} .meter {{ display: none; }}
  dl.facts {{ grid-template-columns: 1fr; gap: 0; }} dl.facts dd {{ margin-bottom: .5rem; }}
}}
"""
