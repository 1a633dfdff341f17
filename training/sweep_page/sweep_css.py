"""What the page of a sweep has beside the style sheet of reports."""

from __future__ import annotations

STYLE = """
svg .dot.early { fill: none; stroke: var(--faint); opacity: .7; }
svg .dot.one { opacity: .7; }
svg .dot.two { opacity: 1; }
svg .bar.faint-bar { fill: var(--faint); opacity: .45; }
svg a:focus-visible .dot, svg a:hover .dot { stroke: var(--text); stroke-width: 2; opacity: 1; }
.charts > div { max-width: 36rem; }
.epochs svg { width: 100%; max-width: 36rem; height: auto; display: block; }
.epochs .trial .curve { stroke: var(--one); stroke-width: 1.2; opacity: .45; }
.epochs .trial.early .curve { stroke: var(--faint); }
.epochs .trial.two .curve { stroke: var(--two); stroke-width: 2.2; opacity: 1; }
.epochs .cross { stroke: var(--faint); fill: none; }
.epochs a:hover .curve, .epochs a:focus-visible .curve { stroke: var(--text); opacity: 1;
  stroke-width: 2.2; }
#parallel-lines { width: 100%; height: auto; display: block; user-select: none;
  -webkit-user-select: none; }
#parallel-lines .line { fill: none; stroke: var(--one); stroke-width: 1.6; pointer-events: none; }
#parallel-lines .l0 { stroke: var(--two); stroke-width: 3; }
#parallel-lines .l1 { opacity: .95; stroke-width: 2; }
#parallel-lines .l2 { opacity: .65; }
#parallel-lines .l3 { opacity: .42; }
#parallel-lines .l4 { opacity: .24; }
#parallel-lines .l5 { stroke: var(--faint); stroke-dasharray: 5 4; opacity: .5; }
#parallel-lines .out { opacity: .05; }
#parallel-lines .over { stroke: var(--text); stroke-width: 4; opacity: 1; }
#parallel-lines .axis line { stroke: var(--text); stroke-width: 1.2; }
#parallel-lines .tick { font-size: 12px; paint-order: stroke; stroke: var(--page);
  stroke-width: 3px; }
#parallel-lines .name { fill: var(--text); font-weight: 600; }
#parallel-lines .brush { fill: var(--two); opacity: .35; pointer-events: none; }
#parallel-lines .grip { fill: transparent; cursor: ns-resize; touch-action: none; }
#parallel-readout { min-height: 3em; max-width: none; overflow-wrap: anywhere; }
table.trials tr.best-trial td, table.trials tr.best-trial th { font-weight: 600; }
table.trials tr.early td { color: var(--faint); }
table.trials tr.over td, table.trials tr.over th { background: var(--ground); }
table.trials tr.out { display: none; }
table.trials td:last-child { min-width: 11rem; max-width: 24rem; overflow-wrap: anywhere; }
"""
