# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style sheet of the HTML report. Fonts are the reader's own; nothing is fetched."""

from __future__ import annotations

_LIGHT = """\
color-scheme:light;--ground:#f5f6f8;--sheet:#fff;--ink:#1b2430;--soft:#5a6675;--line:#dde2e8;--track:#edf0f4;\
--good:#1a7f4b;--good-soft:#e3f4ea;--bad:#b3261e;--bad-soft:#fce8e6;--warning:#8a5a00;--warning-soft:#fdf1d8;\
--muted-soft:#eceff3;--bar:#3566b8;--link:#1f56b0;"""
_DARK = """\
color-scheme:dark;--ground:#12161c;--sheet:#1a2029;--ink:#e6eaf0;--soft:#9aa6b5;--line:#303946;--track:#262e39;\
--good:#5fce92;--good-soft:#15382a;--bad:#ff8a80;--bad-soft:#472020;--warning:#f2be5c;--warning-soft:#3f3215;\
--muted-soft:#2a323d;--bar:#6d9df0;--link:#8fb6ff;"""

STYLE = (
    ":root{"
    + _LIGHT
    + "}\n@media (prefers-color-scheme:dark){:root{"
    + _DARK
    + """}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1120px;padding:24px 20px 40px;background:var(--ground);color:var(--ink);
 font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",Arial,sans-serif;
 overflow-wrap:anywhere}
h1,h2,h3,p,ul,dl,dd,figure{margin:0}
header,section{background:var(--sheet);border:1px solid var(--line);border-radius:10px;
 padding:22px 26px;margin:0 0 16px}
header{border-top:5px solid var(--soft);display:grid;grid-template-columns:1fr auto;column-gap:20px}
header.good{border-top-color:var(--good)}header.bad{border-top-color:var(--bad)}
header.warning{border-top-color:var(--warning)}
header>*{grid-column:1/-1}
header .kind{grid-column:1;grid-row:1;color:var(--soft);font-size:13px;letter-spacing:.05em;text-transform:uppercase}
h1{font-size:30px;line-height:1.25;letter-spacing:-.01em;grid-row:2}header h1{grid-column:1}
header .verdict{grid-column:2;grid-row:1/3;align-self:center}
header .verdict .badge{font-size:19px;padding:7px 18px}
header .headline{font-size:17px;margin:10px 0 18px}
h2{font-size:19px;line-height:1.3;margin:0 0 14px}
h3{font-size:15px;line-height:1.4}
section>p{margin:10px 0}section>ul{margin:6px 0 10px;padding-left:20px}section>:last-child{margin-bottom:0}
nav{margin:0 0 16px}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:6px 18px;padding:0 4px}
a{color:var(--link);text-underline-offset:2px}
nav a{font-size:13px;text-decoration:none}nav a:hover{text-decoration:underline}
a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.badge{display:inline-block;padding:1px 9px;border-radius:99px;font-size:12.5px;font-weight:600;line-height:1.55;
 background:var(--muted-soft);color:var(--soft);white-space:nowrap}
.badge.good{background:var(--good-soft);color:var(--good)}.badge.bad{background:var(--bad-soft);color:var(--bad)}
.badge.warning{background:var(--warning-soft);color:var(--warning)}
span.good{color:var(--good)}span.bad{color:var(--bad);font-weight:600}span.warning{color:var(--warning)}
span.muted,p.muted{color:var(--soft)}
.whole>div{white-space:nowrap}
.note{display:block;font-weight:400;color:var(--soft);font-size:12.5px;line-height:1.45}
code,pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{margin:10px 0 0;padding:14px;background:var(--track);border-radius:6px;overflow-x:auto;white-space:pre-wrap}
summary{cursor:pointer;color:var(--link);margin-top:8px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));gap:12px 24px}
.facts .wide{grid-column:1/-1}
.facts+.scroll{margin-top:18px}
dt{color:var(--soft);font-size:12.5px}
.remark{padding:9px 14px;border-left:4px solid var(--line);background:var(--track);border-radius:0 6px 6px 0}
.remark.good{border-color:var(--good);background:var(--good-soft)}
.remark.bad{border-color:var(--bad);background:var(--bad-soft)}
.remark.warning{border-color:var(--warning);background:var(--warning-soft)}
.gauges{display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:16px}
.gauge{border:1px solid var(--line);border-radius:8px;padding:16px 18px}
.gauge h3{display:flex;justify-content:space-between;gap:10px;font-weight:600}
.achieved{font-size:27px;font-weight:600;letter-spacing:-.01em;margin:4px 0 8px}
.gauge svg{display:block}.target{color:var(--soft);font-size:13px;margin-top:8px}
.track{fill:var(--track)}.fill.good{fill:var(--good)}.fill.bad{fill:var(--bad)}.fill.warning{fill:var(--warning)}
.mark{fill:var(--ink)}
figure{margin:0 0 20px}
svg.timeline{display:block;font-size:12.5px;overflow:visible}
svg text{fill:var(--ink);paint-order:stroke;stroke:var(--sheet);stroke-width:4px;stroke-linejoin:round}
svg .told,svg .tick{fill:var(--soft)}svg .clock{font-size:11px}
svg .grid{stroke:var(--line);stroke-width:1}
svg .bar{fill:var(--bar)}svg .bar.done{fill:var(--bar)}svg .bar.failed{fill:url(#hatch)}
svg .bar.running,svg .bar.skipped,svg .bar.other{fill:var(--warning)}
svg .failed .told{fill:var(--bad);font-weight:600}svg .skipped .told,svg .running .told{fill:var(--warning)}
.hatch-ground{fill:var(--bad)}.hatch-line{fill:var(--sheet);opacity:.55}
svg line.flag{stroke-width:1.5}svg line.interruption{stroke:var(--ink)}svg line.recovered{stroke:var(--good)}
svg line.limit{stroke:var(--soft);stroke-dasharray:5 4}svg line.beyond{stroke-dasharray:1.5 4}
svg text.flag{font-weight:600;font-size:12px}svg text.recovered{fill:var(--good)}svg text.limit{fill:var(--soft)}
svg line.missed{stroke:var(--bad)}svg text.missed{fill:var(--bad)}
.scroll{overflow-x:auto;margin:0 0 12px}
table{border-collapse:collapse;width:100%;font-size:13.5px;line-height:1.45}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
th,td{text-align:left;vertical-align:top;padding:8px 14px 8px 0;border-top:1px solid var(--line);
 font-variant-numeric:tabular-nums}
thead th{overflow-wrap:normal;border-top:0;color:var(--soft);font-size:12.5px;font-weight:500;padding-top:0}
tbody th{font-weight:600;min-width:120px}tbody th .muted{font-weight:400}
th:last-child,td:last-child{padding-right:0}td:last-child:not(.empty):not(.whole){min-width:150px}
.finding{border:1px solid var(--line);border-left:4px solid var(--soft);border-radius:6px;padding:14px 18px;
 margin:0 0 12px}
.finding.bad{border-left-color:var(--bad)}.finding.warning{border-left-color:var(--warning)}
.finding h3{margin-bottom:4px}.finding h3 .badge{margin-right:6px}
.finding dl{display:flex;flex-wrap:wrap;gap:8px 28px;margin-top:10px;font-size:13.5px}
.finding dl div:first-child{flex-basis:100%}
footer{color:var(--soft);font-size:12.5px;padding:4px}
@media screen and (max-width:700px){
body{padding:12px 10px 30px}header,section{padding:16px;border-radius:8px}h1{font-size:24px}
header .headline{font-size:16px}.facts{grid-template-columns:1fr 1fr;gap:10px 16px}
table,thead,tbody,tr,th,td{display:block}thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
tr{border-top:1px solid var(--line);padding:10px 0}tbody tr:first-child{border-top:0}
th,td{border:0;padding:1px 0}td.empty{display:none}
td{display:grid;grid-template-columns:110px minmax(0,1fr);gap:10px}
td::before{content:attr(data-label);color:var(--soft)}
tbody th{font-size:14.5px;padding-bottom:4px}
}
@page{margin:14mm}
@media print{:root{"""
    + _LIGHT
    + """}
body{max-width:none;padding:0;background:none;font-size:9.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
nav{display:none}h1{font-size:20pt}h2{font-size:13pt}h3{font-size:10.5pt}.achieved{font-size:17pt}
header .headline{font-size:11.5pt}table,.finding dl{font-size:8.5pt}.note,dt,.badge,code,pre{font-size:8pt}
th,td{padding:4px 10px 4px 0}.finding{padding:8px 12px;margin-bottom:7px}
header,section{border-radius:0;border-width:0 0 1px;padding:12px 0;margin:0}
header{border-top-width:5px}h2,h3{break-after:avoid}.finding,.gauge,tr,figure{break-inside:avoid}.scroll{overflow:visible}
details::details-content{content-visibility:visible;display:block;block-size:auto}a{color:inherit;text-decoration:none}
}
"""
)
