"""The one style sheet of our pages: light and dark, on screens of any width and on paper."""

from __future__ import annotations

STYLE = """\
:root { --ink: #1c2430; --soft: #5b6675; --rule: #dde2e8; --ground: #f6f7f9; --card: #ffffff;
  --good: #17784a; --bad: #b3261e; --warning: #8a5a00; --id: #3355a5; --a: #2f5fb3; --b: #c2571a; --c: #17784a;
  --d: #7a4aa8; --e: #5b6675; --bar: #c9d6ee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --rule: #333d49; --ground: #12171e;
  --card: #1a212a; --good: #5fcf98; --bad: #ff8a80; --warning: #f0bd5a; --id: #9db9f5; --a: #8fb2f5; --b: #f2a06b;
  --c: #5fcf98; --d: #c7a3ee; --e: #9aa6b5; --bar: #2d4169; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 0; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; }
p { margin: .3rem 0 .7rem; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1rem 1.2rem;
  margin: 1rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1rem 0; }
.tile { flex: 1 1 8rem; background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: .7rem 1rem; display: flex; flex-direction: column; }
.tile .value { font-size: 1.5rem; line-height: 1.2; font-weight: 650; }
.tile span { color: var(--soft); font-size: .85rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .8rem; vertical-align: bottom; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  overflow-wrap: break-word; }
.whole { white-space: nowrap; } td:not(.whole, .number) { min-width: 12rem; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 1.4rem; }
td.number { white-space: nowrap; }
ul { margin: .2rem 0; padding-left: 1.2rem; }
li { margin: .25rem 0; overflow-wrap: anywhere; }
li ul { color: var(--soft); font-size: .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .warning { color: var(--warning); }
.quiet { color: var(--soft); } .who, .stage, .head { font-weight: 600; }
.id, .path { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; }
.id { color: var(--id); white-space: nowrap; }
figure { margin: .5rem 0 1rem; overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2rem; }
.figures svg { max-width: 29rem; }
figcaption { color: var(--soft); font-size: .85rem; }
svg { display: block; width: 100%; height: auto; min-width: 44rem; } .figures svg { min-width: 0; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--ink); }
svg text.soft { fill: var(--soft); font-size: 11px; }
svg text.end { text-anchor: end; } svg text.mid { text-anchor: middle; }
svg .rule { stroke: var(--rule); stroke-width: 1; } svg .axis { stroke: var(--soft); stroke-width: 1; }
footer { max-width: 68rem; margin: 0 auto; padding: .5rem 1rem 2rem; color: var(--soft); font-size: .8rem; }
@media print { :root { --ground: #fff; } body { font-size: 11px; } main { max-width: none; padding: 0; }
  section, .tile { break-inside: avoid; border-color: #bbb; } h2 { break-after: avoid; } }
"""
