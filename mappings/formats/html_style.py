"""How the readable document looks: one style sheet inside it, and the policy that lets nothing else
in.

Contrast is at least 7:1 for text (WCAG 2.2 AAA; AA is asked for); nothing depends on colour alone;
text grows with the reader's own setting; on paper the contents list goes and blocks stay whole.
"""

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { font-size: 100%; -webkit-text-size-adjust: 100%; }
body { margin: 0; color: #16202a; background: #f4f1ea; line-height: 1.6;
  font-family: system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
p, h1, h2, h3, h4, h5, h6, dd, dt, td, th, caption, figcaption, a { overflow-wrap: anywhere; }
p { margin: 0; }
.skip { position: absolute; left: -999em; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem 1rem; background: #ffffff; }
a { color: #0b4f57; }
a:focus-visible, .scroll:focus-visible { outline: 3px solid #8a3b00; outline-offset: 2px; }
header { background: #0b4f57; color: #ffffff; padding: 2.5rem 0 2.25rem; }
header div { padding: 0 1.25rem; }
header div, nav, main { max-width: 54rem; margin: 0 auto; }
.kicker { font-size: 1rem; letter-spacing: .02em; color: #e4f1f0; }
h1 { margin: .25rem 0 0; font-size: 2.1rem; line-height: 1.2; }
h2 { margin: 0 0 1rem; font-size: 1.45rem; line-height: 1.25; color: #0b4f57; }
h3 { margin: 1.75rem 0 .75rem; font-size: 1.15rem; line-height: 1.3; }
h4, h5, h6 { margin: 1.5rem 0 .5rem; font-size: 1.05rem; line-height: 1.3; }
h2 + h3, h3 + h4, h4 + h5 { margin-top: 0; }
nav { padding: 1.5rem 1.25rem 0; }
nav h2 { font-size: 1.05rem; margin-bottom: .5rem; }
nav ol { margin: 0; padding: 0; list-style: none; columns: 17rem; }
nav a { display: inline-block; padding: .25rem 0; min-height: 1.5rem; }
main { padding: 1.25rem; }
section { background: #ffffff; border: 1px solid #d9d2c4; border-radius: .6rem;
  padding: 1.5rem 1.5rem 1.75rem; margin: 0 0 1.25rem; }
.block { border-top: 1px solid #d9d2c4; padding-top: 1.25rem; margin-top: 1.5rem; }
.block h3:first-child, .block h4:first-child, .block h5:first-child { margin-top: 0; }
h2 + .block { border-top: 0; padding-top: 0; margin-top: 0; }
dl { margin: 0; }
dl + dl, dl + .scroll, .scroll + dl, figure + dl, dl + figure, .scroll + .scroll {
  margin-top: 1.25rem; }
dl div { display: grid; grid-template-columns: 14rem 1fr; gap: 0 1.5rem; padding: .45rem 0; }
dl div + div { border-top: 1px solid #ece7dc; }
dt { font-weight: 600; color: #2f3c48; }
dd { margin: 0; }
dd + dd { margin-top: .5rem; grid-column: 2; }
.detail { font-size: .925rem; font-weight: 400; color: #3f4c57; }
.pre { white-space: pre-wrap; }
figure { margin: 1.25rem 0 0; padding: 1rem 1.25rem 1.1rem; background: #fdf6e3;
  border-left: .35rem solid #8a3b00; border-radius: 0 .4rem .4rem 0; }
h2 + figure { margin-top: 0; }
blockquote { margin: 0; font-size: 1.15rem; }
figcaption { margin-top: .4rem; font-weight: 600; color: #5b2a00; }
.scroll { overflow-x: auto; margin-top: 1.25rem; }
h2 + .scroll, h3 + .scroll { margin-top: 0; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; color: #2f3c48; padding: 0 0 .5rem; }
th, td { text-align: left; vertical-align: top; padding: .55rem .75rem .55rem 0; font-size: .96rem;
  overflow-wrap: break-word; min-width: 6rem; }
thead th { border-bottom: 2px solid #0b4f57; font-weight: 600; color: #2f3c48; }
tbody th { font-weight: 600; min-width: 10rem; }
tbody tr + tr th, tbody tr + tr td { border-top: 1px solid #ece7dc; }
.foot { margin-top: .75rem; font-size: .925rem; color: #3f4c57; }
@media (max-width: 40rem) {
  dl div { grid-template-columns: 1fr; }
  dd + dd { grid-column: 1; }
  h1 { font-size: 1.6rem; }
  section { padding: 1.15rem 1rem 1.35rem; }
}
@media print {
  @page { margin: 18mm 16mm; }
  body { background: #ffffff; font-size: 10.5pt; }
  header { background: #ffffff; color: #16202a; padding: 0 0 6mm;
    border-bottom: 2px solid #0b4f57; }
  header div { padding: 0; }
  .kicker { color: #2f3c48; }
  nav, .skip { display: none; }
  main { padding: 0; }
  section { border: 0; border-radius: 0; padding: 5mm 0 0; margin: 0; }
  h2, h3, h4, h5 { break-after: avoid; }
  figure, tr, dl div { break-inside: avoid; }
  .scroll { overflow: visible; }
}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)
"""Content security policy: this style sheet and nothing else."""
