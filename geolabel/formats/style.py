"""How a dataset's report looks: the colours and sizes of the web map, dark and light as the reader's system is."""

from __future__ import annotations

STYLE = """
:root{color-scheme:dark light;--bg:#0d0e10;--card:#16181b;--field:#1e2125;--line:#292d33;--strong:#3c424b;--hatch:#737b87;--text:#edeff2;--text2:#b6bcc6;--soft:#9098a3;--good:#62d29a;--good-soft:#15301f;--accent:#98b9ff;--warn:#f2bd55;--warn-soft:#352911}
@media(prefers-color-scheme:light){:root{--bg:#eceef1;--card:#fff;--field:#f6f7f9;--line:#e3e6ea;--strong:#c8cdd5;--hatch:#7f8793;--text:#14171b;--text2:#444b56;--soft:#5a626d;--good:#14693f;--good-soft:#e1f5ea;--accent:#1f52c2;--warn:#7a4f00;--warn-soft:#fdf2da}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:13px/20px "SF Pro Text","Segoe UI Variable Text","Segoe UI",Roboto,"Noto Sans",Ubuntu,Cantarell,"Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1008px;margin:0 auto;padding:32px 24px 64px}header{margin-bottom:20px}h1{font-size:28px;line-height:36px;margin:0;font-weight:600;letter-spacing:-.01em}
h2{font-size:15px;line-height:20px;margin:0 0 12px;font-weight:600}h3{font-size:13px;line-height:20px;margin:16px 0 4px;font-weight:600;color:var(--text2)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 24px;margin-top:12px}
.lead{color:var(--text2);margin:4px 0 0}.hint,.soft{color:var(--soft)}.hint{font-size:12px;line-height:16px;margin:8px 0 0}.tag{font-size:11px;line-height:16px;letter-spacing:0;font-weight:500;vertical-align:6px;margin-left:12px;padding:3px 8px;border-radius:999px;background:var(--warn-soft);color:var(--warn)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:1px;padding:0;overflow:hidden;background:var(--line)}.figures div{background:var(--card);padding:16px 24px}.figures b{display:block;font-size:20px;line-height:28px;font-weight:600}.figures span{color:var(--soft);font-size:12px;line-height:16px;display:block}
.bar{display:flex;gap:2px;height:10px;border-radius:5px;overflow:hidden;margin-bottom:8px}.off{background:repeating-linear-gradient(45deg,var(--hatch) 0 2px,var(--field) 2px 5px)}
table{border-collapse:collapse;width:100%}td,th{text-align:right;padding:6px 8px;border-bottom:1px solid var(--line);font-weight:400}tr:last-child td{border-bottom:0}th{color:var(--soft);font-size:12px}td:first-child,th:first-child{text-align:left;padding-left:0}td:last-child,th:last-child{padding-right:0}.why{text-align:left;color:var(--text2)}.reasons td:first-child{white-space:nowrap;width:1%;padding-right:24px}
.bars td{border:0;padding:3px 8px}.bars td:first-child{white-space:nowrap;width:1%;padding-right:16px}.bars td:last-child{width:1%}.track{display:flex;gap:1px;height:12px}.track i{border-radius:2px;min-width:2px}
.dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px;vertical-align:-1px}
.proof{margin:12px 0 0;padding:8px 12px;border-radius:8px;background:var(--good-soft);color:var(--text)}.proof b{color:var(--good);font-weight:600}
.map{background:var(--field);border-radius:8px;padding:16px;display:flex;justify-content:center}svg{width:100%;height:auto;display:block}.chip{fill:var(--c);fill-opacity:.45;stroke:var(--c);stroke-width:1;vector-effect:non-scaling-stroke}.out{fill:url(#hatch);stroke:var(--strong);stroke-width:.5}.hatch{stroke:var(--hatch);stroke-opacity:.55;stroke-width:1.5;fill:none}
.keys{display:flex;flex-wrap:wrap;gap:4px 20px;margin:12px 0 0;color:var(--text2);font-size:12px;line-height:16px}.keys .soft{margin-left:auto}
.histogram{display:flex;align-items:stretch;gap:4px;height:190px}.histogram>div{flex:1;display:flex;flex-direction:column;min-width:0;text-align:center}.histogram b{font-weight:400;font-size:11px;line-height:16px;color:var(--text2)}.stack{flex:1;display:flex;flex-direction:column;justify-content:flex-end;border-bottom:1px solid var(--strong)}.stack i{display:block;min-height:1px}.stack i:first-child{border-radius:3px 3px 0 0}.histogram span{font-size:11px;line-height:20px;color:var(--soft)}
details{margin-top:12px}summary{cursor:pointer;color:var(--accent);font-size:12px;line-height:16px}summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}details table{margin-top:8px}
ul{margin:0;padding-left:18px;color:var(--text2)}li{margin:2px 0}.sheet{width:100%;border-radius:8px;display:block}pre{margin:12px 0 0;padding:10px 12px;border-radius:8px;background:var(--field);overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}code,pre{font:12px/18px ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"Liberation Mono",monospace}
@media(max-width:640px){main{padding:16px 12px 32px}section{padding:16px}.figures{padding:0}}
@media print{section{break-inside:avoid}}
"""
