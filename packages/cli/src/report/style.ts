/** Look of all reports: one column of readable text, wide tables and pictures, light or dark as the reader's screen. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f5f6f8; --ink: #1c2127; --soft: #5b6570; --line: #d9dee4;
  --initial: #b45f06; --final: #0b63a5; --good: #1a7f4b; --bad: #b3261e; --accent: #0b63a5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --panel: #1d2126; --ink: #e8eaed; --soft: #a0a9b4; --line: #353b43;
    --initial: #f0a04b; --final: #6cb6ff; --good: #57c98a; --bad: #ff8a80; --accent: #6cb6ff;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
header { margin-bottom: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .35rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .7rem; padding-top: .9rem; border-top: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 0 0 .4rem; }
.scroll + h3 { margin-top: 1.4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.sub, .note, figcaption, footer { color: var(--soft); }
.note, figcaption, footer { font-size: .87rem; }
.headline { font-size: 1.25rem; font-weight: 600; margin: 0 0 .3rem; max-width: none; text-wrap: balance; }
.good { color: var(--good); } .bad { color: var(--bad); }
.initial { color: var(--initial); } .final { color: var(--final); }
.columns { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); align-items: start; }
.gallery { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
figcaption { margin-top: .4rem; overflow-wrap: anywhere; }
.panel { background: var(--panel); border-radius: 8px; padding: 1rem 1.15rem; break-inside: avoid; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .7rem .32rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.n + td:not(.n), th.n + th:not(.n) { padding-left: .9rem; }
thead th { border-bottom-color: var(--soft); }
td.n, th.n { text-align: right; white-space: nowrap; }
td:first-child:not(.n) { min-width: 9rem; }
tbody tr:last-child td { border-bottom: 0; }
tr.off td { color: var(--soft); }
.meter { display: inline-block; width: 3.6rem; height: .5rem; border-radius: 3px; background: var(--line); overflow: hidden; vertical-align: .05rem; margin-right: .5rem; }
.meter i { display: block; height: 100%; background: var(--accent); }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; margin: .4rem 0; }
svg text { fill: var(--soft); font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
svg .title { fill: var(--ink); font-weight: 600; }
svg .cell { fill: var(--ink); }
footer { margin-top: 3rem; padding-top: .9rem; border-top: 1px solid var(--line); }
@media print {
  :root { --paper: #fff; --panel: #f5f6f8; --ink: #000; --soft: #444; --line: #ccc; --initial: #b45f06; --final: #0b63a5; --good: #1a7f4b; --bad: #b3261e; --accent: #0b63a5; color-scheme: light; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  table { break-inside: auto; } tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  figure img, .meter i, .meter, .panel { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .gallery { grid-template-columns: repeat(3, 1fr); }
}
`
