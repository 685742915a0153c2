import { type Content, type Html, html, markup, pngDataUri } from './html.js'
import { STYLE } from './style.js'

export interface Page {
  readonly title: string
  readonly subtitle?: Content
  readonly body: Content
  readonly footer?: Content
}

/**
 * A whole HTML document that needs nothing but itself: styles inside, pictures as data addresses, no scripts. The
 * policy in its head makes a browser refuse anything else.
 */
export const page = ({ title, subtitle, body, footer }: Page): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${markup(STYLE)}</style>
</head>
<body>
<main>
<header>
<h1>${title}</h1>
${subtitle ? html`<p class="sub">${subtitle}</p>` : ''}
</header>
${body}
${footer ? html`<footer>${footer}</footer>` : ''}
</main>
</body>
</html>
`.html

export const section = (title: string, body: Content): Html => html`<section>
<h2>${title}</h2>
${body}
</section>
`

/** Names with their values. */
export const facts = (rows: readonly (readonly [name: string, value: Content])[]): Html =>
  html`<dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`

export interface TableColumn {
  readonly title: Content
  readonly numeric?: boolean
}

/** @param off rows to be set back, by their position */
export const table = (
  columns: readonly TableColumn[],
  rows: readonly (readonly Content[])[],
  off: (row: number) => boolean = () => false
): Html => html`<div class="scroll"><table>
<thead><tr>${columns.map(c => html`<th${numeric(c)}>${c.title}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (row, i) =>
    html`<tr${off(i) && markup(' class="off"')}>${columns.map((c, k) => html`<td${numeric(c)}>${row[k]}</td>`)}</tr>
`
)}</tbody>
</table></div>`

const numeric = (c: TableColumn): Content => c.numeric && markup(' class="n"')

export const picture = (png: Uint8Array, alt: string, caption?: Content): Html =>
  html`<figure><img src="${pngDataUri(png)}" alt="${alt}">${caption ? html`<figcaption>${caption}</figcaption>` : ''}</figure>
`

/** A share from 0 to 1 as a short bar with its value. */
export function meter(share: number, text: string): Html {
  const width = Math.round(100 * Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0)))
  return html`<span class="meter"><i style="width:${width}%"></i></span>${text}`
}

/** A value of any kind out of a record of settings, short. */
export const setting = (value: unknown): string =>
  value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)
