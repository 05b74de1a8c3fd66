/** The page's look; light unless the reader prefers dark. */
export const STYLE = `
:root { color-scheme: light dark;
  --text:#1c2430; --faint:#5c6675; --grid:#dde2ea; --paper:#ffffff; --ground:#f5f6f9; --siteA:#2563b8; --siteB:#0f8a6d;
  --siteC:#8a5cb8; --failed:#cf3a3a; --refused:#b6bdc9; --marker:#4a5363; --good:#14804a;
  --stage-0:#33517e; --stage-1:#4d6fa6; --stage-2:#0f7f8c; --stage-3:#3b8a5c; --stage-4:#85790f; --stage-5:#b3651b;
  --stage-6:#a8434c; --stage-7:#7d4b96; }
@media (prefers-color-scheme: dark) { :root {
  --text:#e4e9f1; --faint:#9aa5b5; --grid:#2f3743; --paper:#171c24; --ground:#0f1319; --siteA:#6ea2e8; --siteB:#47c2a3;
  --siteC:#b794e0; --failed:#f07272; --refused:#4d5664; --marker:#aeb8c7; --good:#4cc38a;
  --stage-0:#7f9fd0; --stage-1:#9bb8e4; --stage-2:#56c0cc; --stage-3:#7cc79b; --stage-4:#cfc055; --stage-5:#e6a163;
  --stage-6:#e58b92; --stage-7:#c39ad8; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 24px }
h1 { font-size: 24px; margin: 0 0 4px } h2 { font-size: 17px; margin: 0 0 10px }
.under { color: var(--faint); margin: 0 0 18px }
section { background: var(--paper); border: 1px solid var(--grid); border-radius: 8px; padding: 16px 20px; margin: 0 0 16px; overflow-x: auto }
.verdict { display: inline-block; padding: 3px 12px; border-radius: 14px; color: var(--paper); font-weight: 600; font-size: 14px; vertical-align: 4px; margin-left: 10px }
.good { background: var(--good) } .bad { background: var(--failed) }
.numbers { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 16px }
.number { flex: 1 1 165px; background: var(--paper); border: 1px solid var(--grid); border-radius: 8px; padding: 12px 16px }
.number b { display: block; font-size: 26px; line-height: 1.2 } .number span { color: var(--faint); font-size: 13px }
.number.missed b { color: var(--failed) }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--grid); font-variant-numeric: tabular-nums }
th { color: var(--faint); font-weight: 500 } tr:last-child td { border-bottom: 0 } td.r, th.r { text-align: right }
.ok { color: var(--good); font-weight: 600 } .missed { color: var(--failed); font-weight: 600 }
.key { display: flex; flex-wrap: wrap; gap: 18px; margin: 4px 0 8px; color: var(--faint); font-size: 13px }
.key i, td i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 32px } @media (max-width: 900px) { .columns { grid-template-columns: 1fr } }
.n { display: inline-block; min-width: 20px; text-align: center; background: var(--marker); color: var(--paper); border-radius: 10px; font-size: 12px; font-weight: 700; padding: 0 6px }
svg { display: block; max-width: 100%; height: auto } details summary { cursor: pointer; color: var(--faint) }
ul { margin: 0; padding-left: 20px } code { font-size: 13px } .stop { border-color: var(--failed) }
`;
