import { fixed } from './format.js'
import { type Content, type Html, html } from './html.js'

/** A map from values to positions in a drawing. */
export interface Scale {
  (value: number): number
  readonly ticks: readonly number[]
  readonly label: (tick: number) => string
  /** Ends of the values shown. */
  readonly domain: readonly [number, number]
}

type Ends = readonly [number, number]

/** Round values about `count` apart that cover a range: 1, 2 or 5 times a power of ten. */
export function roundTicks([low, high]: Ends, count = 5): number[] {
  const raw = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 5, 10].find(m => m * power >= raw * 0.999) ?? 10)
  const first = Math.floor(low / step + 1e-9)
  const last = Math.ceil(high / step - 1e-9)
  // Multiplying, not adding up, and back through text: 0.3, never 0.30000000000000004.
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** A linear scale whose ends are round. */
export function linearScale(values: Ends, [from, to]: Ends, count = 5): Scale {
  const [low, high] = values[1] > values[0] ? values : [values[0] - 1, values[0] + 1]
  const ticks = roundTicks([low, high], count)
  const a = ticks[0]
  const b = ticks[ticks.length - 1]
  const decimals = Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9))
  const at = (v: number) => from + ((v - a) / (b - a)) * (to - from)
  return Object.assign(at, { ticks, domain: [a, b] as const, label: (t: number) => fixed(t, decimals) })
}

/** Least positive value that a logarithmic scale tells from nothing. */
const LEAST = 1e-3

/** A logarithmic scale over 1, 2, 5, 10 …; values at or below its lower end, 0 included, lie on that end. */
export function logScale(values: Ends, [from, to]: Ends): Scale {
  const steps: number[] = []
  for (let e = -3; e <= 7; e++) for (const m of [1, 2, 5]) steps.push(Number((m * 10 ** e).toPrecision(3)))
  const low = Math.max(LEAST, values[0])
  const high = Math.max(low * 1.0001, Math.min(values[1], steps[steps.length - 1]))
  const a = steps.filter(s => s <= low).pop() ?? steps[0]
  const b = steps.find(s => s >= high && s > a) ?? steps[steps.length - 1]
  const within = steps.filter(s => s >= a && s <= b)
  // More than three decades with every 1, 2 and 5 would be crowded.
  const decades = within.filter(s => Number.isInteger(Math.log10(s)))
  const ticks = within.length > 10 && decades.length >= 2 ? decades : within
  const span = Math.log(b / a)
  const at = (v: number) => from + (Math.log(Math.max(a, Math.min(b, v)) / a) / span) * (to - from)
  return Object.assign(at, { ticks, domain: [a, b] as const, label: (t: number) => String(t) })
}

/** Smallest and largest of the finite values; null without any. */
export function extent(values: readonly number[]): Ends | null {
  const finite = values.filter(Number.isFinite)
  return finite.length > 0 ? [Math.min(...finite), Math.max(...finite)] : null
}

/** Position in a drawing, to a tenth of a unit. */
export const at = (position: number): string => String(Math.round(position * 10) / 10)

export interface Frame {
  readonly width: number
  readonly height: number
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

export const frame = (width: number, height: number): Frame => ({
  width,
  height,
  left: 46,
  right: width - 12,
  top: 30,
  bottom: height - 40
})

/** A drawing that fits the width it is given; `label` is what a screen reader says. */
export const drawing = (f: Frame, label: string, body: Content): Html =>
  html`<svg viewBox="0 0 ${f.width} ${f.height}" role="img" aria-label="${label}">
${body}</svg>
`

export const line = (x1: number, y1: number, x2: number, y2: number, colour: string, dash?: string): Html =>
  html`<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${colour}"${dash ? html` stroke-dasharray="${dash}"` : ''}/>
`

export const label = (
  x: number,
  y: number,
  content: string,
  anchor: 'start' | 'middle' | 'end' = 'start',
  name?: string
): Html => html`<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}"${name ? html` class="${name}"` : ''}>${content}</text>
`

/** A dot that says what it is when pointed at. */
export const dot = (x: number, y: number, colour: string, title: string, radius = 3): Html =>
  html`<circle cx="${at(x)}" cy="${at(y)}" r="${radius}" fill="${colour}" fill-opacity="0.75"><title>${title}</title></circle>
`

/** Grid, tick labels and names of both axes. */
export function axes(
  f: Frame,
  x: Scale | null,
  y: Scale,
  names: { title: string; x?: string; y?: string }
): Html {
  return html`${label(f.left, 16, names.title, 'start', 'title')}${y.ticks.map(
    t =>
      html`${line(f.left, y(t), f.right, y(t), 'var(--line)')}${label(f.left - 6, y(t) + 4, y.label(t), 'end')}`
  )}${x?.ticks.map(
    t =>
      html`${line(x(t), f.bottom, x(t), f.bottom + 4, 'var(--soft)')}${label(x(t), f.bottom + 16, x.label(t), 'middle')}`
  )}${line(f.left, f.bottom, f.right, f.bottom, 'var(--soft)')}${
    names.x && label((f.left + f.right) / 2, f.height - 6, names.x, 'middle')
  }${names.y && label(f.right, 16, names.y, 'end')}`
}
