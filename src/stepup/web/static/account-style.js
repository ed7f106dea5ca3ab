/**
 * What the account's elements need beside the dialog's sheet, whose colours and custom properties they share. They stand
 * in a page, so they are light or dark as the page is (its `color-scheme`), where the dialog is as its reader wants.
 */
export const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host{display:block;color-scheme:inherit;margin-block-end:2rem;color:var(--ink);font:var(--stepup-font,1rem/1.5 system-ui,sans-serif);
--good:var(--stepup-good,light-dark(#0b6b3a,#8fe0b0));--warn:var(--stepup-warn,light-dark(#7a4b00,#f3cf83));
--wash:var(--stepup-wash,light-dark(#f3f5f8,#262c33));--hair:var(--stepup-hair,light-dark(#dfe3e8,#3a424c))}
:host([hidden]){display:none}
section{container-type:inline-size;text-align:start;overflow-wrap:anywhere}
.title{margin:0 0 .25rem;font-size:1.25rem;line-height:1.3}
[part=heading]{margin:0 0 .5rem;font-size:1rem}
[part=lead]{max-inline-size:65ch}
ul,ol{list-style:none;margin:0;padding:0}
[part=list]{border:1px solid var(--hair);border-radius:var(--round);background:var(--paper)}
[part=row]{display:flex;flex-wrap:wrap;gap:.75rem;align-items:flex-start;padding:.75rem 1rem}
[part=row]+[part=row]{border-block-start:1px solid var(--hair)}
.icon{flex:none;inline-size:2.25rem;block-size:2.25rem;padding:.45rem;border-radius:50%;background:var(--wash);
fill:none;stroke:var(--soft);stroke-width:2;stroke-linecap:round;stroke-linejoin:round;overflow:visible}
.icon[data-icon=ok]{stroke:var(--good)}
.icon[data-icon=refused]{stroke:var(--bad)}
.icon[data-icon=open]{stroke:var(--warn)}
.main{flex:1 1 12rem;min-inline-size:0}
.name{margin:0;font-weight:600;display:flex;flex-wrap:wrap;column-gap:.5rem;align-items:baseline}
.meta{margin:0;font-size:.875rem;display:flex;flex-wrap:wrap;column-gap:.375rem}
.meta>:not(:last-child)::after{content:"·" / "";margin-inline-start:.375rem}
.badge{padding:0 .5rem;border:1px solid;border-radius:1rem;
font-size:.8125rem;font-weight:500;line-height:1.5}
.badge[data-kind=ok]{color:var(--good)}
.badge[data-kind=refused]{color:var(--bad)}
.badge[data-kind=open]{color:var(--warn)}
.actions,.buttons{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
.actions button{min-block-size:2.25rem;padding:.25rem .75rem;font-size:.9375rem}
button:hover{background:var(--wash)}
.go{background:var(--deed);color:var(--on-deed);border-color:var(--deed);font-weight:600}
.go:hover{background:var(--deed);text-decoration:underline}
[data-does=remove],[data-does=forget],[data-does=all-yes]{color:var(--bad)}
.edit{flex:1 1 100%}
[part~=title],[part~=heading]{inline-size:fit-content}
.foot:not(:empty){margin-block-start:1rem}
.panel{padding:1rem;border:1px solid var(--line);border-radius:var(--round);background:var(--paper)}
.panel p{max-inline-size:65ch}
input:not([type=checkbox]){max-inline-size:28rem}
.panel .buttons{margin-block-end:.75rem}
.panel>:last-child,.panel form>:last-child{margin-block-end:0}
.qr{display:block;inline-size:min(14rem,100%);margin-block-end:.75rem;border-radius:.25rem;background:#fff;
forced-color-adjust:none}
code{font-family:ui-monospace,monospace}
.secret{padding:.5rem .75rem;border:1px solid var(--hair);border-radius:var(--round);background:var(--wash);user-select:all}
.codes{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(18rem,100%),1fr));gap:.25rem 1rem;margin-block-end:.75rem;
padding:.75rem 1rem;border:1px solid var(--hair);border-radius:var(--round);background:var(--wash);text-align:start}
.empty{padding:1.25rem 1rem;border:1px dashed var(--line);border-radius:var(--round);text-align:center;color:var(--soft)}
[role=status]:not(:empty){border-inline-start:.25rem solid var(--good);padding-inline-start:.75rem}
[part~=retry]{margin-block-end:.75rem}
[aria-disabled=true]:hover{background:none}
.go[aria-disabled=true]:hover{background:var(--deed)}
li:focus-visible{outline-offset:-3px}
@container(max-width:30rem){.actions,.edit{flex:1 1 100%;padding-inline-start:3rem}}
@container(max-width:18rem){.actions,.edit{padding-inline-start:0}}
@media(forced-colors:active){.icon[data-icon]{stroke:CanvasText;background:Canvas;border:1px solid CanvasText}.go{border-width:2px}}
`);
