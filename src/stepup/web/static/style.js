/**
 * The dialog's one style sheet. A constructed one needs no permission from a page's policy, so there is no inline style
 * anywhere. Pages change the custom properties, or style the parts.
 */
export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host{--ink:var(--stepup-ink,light-dark(#1b1f24,#e9ebee));--soft:var(--stepup-soft,light-dark(#4d5661,#b3bac3));
--paper:var(--stepup-paper,light-dark(#fff,#1b1f24));--line:var(--stepup-line,light-dark(#767f8a,#8b949e));
--deed:var(--stepup-accent,light-dark(#0b4fb3,#a9c9ff));--on-deed:var(--stepup-on-accent,light-dark(#fff,#07264f));
--bad:var(--stepup-bad,light-dark(#a3121f,#ffb1b1));--round:var(--stepup-radius,.5rem);color-scheme:light dark}
*{box-sizing:border-box}
[hidden]{display:none!important}
dialog{inline-size:min(32rem,100vw - 1rem);max-block-size:calc(100dvh - 1rem);max-inline-size:none;overflow:auto;
padding:1.25rem;border:1px solid var(--line);border-radius:var(--round);background:var(--paper);color:var(--ink);
font:var(--stepup-font,1rem/1.5 system-ui,sans-serif);text-align:start;overflow-wrap:anywhere}
dialog[open]{animation:in .15s}
dialog::backdrop{background:rgb(0 0 0/.55)}
@keyframes in{from{opacity:0;transform:translateY(.5rem)}}
@media(prefers-reduced-motion:reduce){dialog[open]{animation:none}}
h2,h3,p,dl{margin:0 0 .75rem}
[part=remember] p{margin-block:-.5rem .75rem;padding-inline-start:2rem;font-size:.875rem}
h2{font-size:1.25rem;line-height:1.3}
h3{font-size:1rem;margin-block-end:.25rem}
dl{border-block:1px solid var(--line);padding-block:.5rem;display:grid;grid-template-columns:minmax(5rem,auto) 1fr;
gap:.25rem 1rem}
dt,.soft{color:var(--soft)}
dt::first-letter{text-transform:uppercase}
[part=resend]{margin-block-end:.75rem}
[part=standing]{border:0;padding:0;gap:0 1rem;margin-block-end:.5rem}
[part=standing] dd{font-weight:400}
dd{margin:0;font-weight:600;white-space:pre-wrap}
[data-risk=high],[data-risk=critical]{color:var(--bad)}
[role=tablist]{display:flex;flex-wrap:wrap;gap:.5rem;margin-block-end:.75rem}
button,input{font:inherit;color:inherit;min-block-size:2.75rem;padding:.5rem .75rem;border:1px solid var(--line);
border-radius:var(--round)}
button{background:none;cursor:pointer}
[role=tab][aria-selected=true]{border:2px solid var(--deed);font-weight:600;text-decoration:underline}
.deed{margin-block-end:.75rem;background:var(--deed);color:var(--on-deed);border-color:var(--deed);font-weight:600;inline-size:100%}
[aria-disabled=true]{opacity:.75;cursor:progress}
input:not([type=checkbox]){inline-size:100%;min-inline-size:8rem;background:var(--paper);margin-block-end:.75rem}
input[aria-invalid=true]{border:2px solid var(--bad)}
label{display:block;margin-block-end:.25rem}
.check{display:flex;gap:.5rem;align-items:center}
.check input{min-block-size:1.5rem;inline-size:1.5rem;flex:none}
.row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin-block-end:.75rem}
.row>:first-child{flex:1;margin:0}
[role=alert]:not(:empty){border-inline-start:.25rem solid var(--bad);padding-inline-start:.75rem;color:var(--bad);
font-weight:600;margin-block-end:.75rem}
[role=status]:not(:empty){margin-block-end:.75rem}
a{color:var(--deed);display:inline-block;padding-block:.25rem}
.aside{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%)}
:focus-visible{outline:3px solid var(--deed);outline-offset:2px}
h2:focus-visible,h3:focus-visible{outline-width:2px}
@media(forced-colors:active){[role=tab][aria-selected=true]{border-color:Highlight}[aria-disabled=true]{opacity:1;
color:GrayText;border-color:GrayText}}
`);
