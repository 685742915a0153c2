import { statistics } from '@raypose/core'
import { fixed, significant } from './format.js'
import { type Html, html, markup } from './html.js'
import type { Limit, Sample } from './plots.js'
import { at, axes, dot, drawing, extent, frame, label, line, linearScale, logScale } from './svg.js'

/** Colours of methods, told apart on light and dark ground and by every kind of colour vision. */
export const METHOD_COLOURS = ['#2f7fc1', '#d9822b', '#2f9e6e', '#b05cc7', '#8a8f98', '#c2504d'] as const
export const methodColour = (i: number): string => METHOD_COLOURS[i % METHOD_COLOURS.length]

const quantile = (sorted: readonly number[], q: number): number => {
  const h = (sorted.length - 1) * q
  const i = Math.floor(h)
  return sorted[i] + (h - i) * (sorted[Math.min(i + 1, sorted.length - 1)] - sorted[i])
}

/** The end of a name, which is what differs between patients, as far as there is room for it. */
const short = (name: string, room: number): string => {
  const letters = Math.max(3, Math.floor((room - 6) / 7.2))
  return name.length <= letters ? name : `…${name.slice(1 - letters)}`
}

/** One box for each group: quartiles, median, whiskers to the 5th and 95th percentile, and every value beyond them. */
export function boxPlot(
  title: string,
  unit: string,
  groups: readonly { readonly name: string; readonly samples: readonly Sample[] }[],
  colour: string,
  limit?: Limit
): Html {
  const f = frame(560, 290)
  const shown = groups.map(g => ({ ...g, samples: g.samples.filter(s => Number.isFinite(s.value)) }))
  const values = shown.flatMap(g => g.samples.map(s => s.value))
  const y = linearScale([0, Math.max(1e-3, ...(extent(values) ?? [0, 1]))], [f.bottom, f.top])
  const room = (f.right - f.left) / Math.max(1, groups.length)
  const half = Math.min(26, room * 0.3)
  const one = (g: (typeof shown)[number], i: number) => {
    const x = f.left + (i + 0.5) * room
    const name = label(x, f.bottom + 16, short(g.name, room), 'middle')
    if (g.samples.length === 0) return name
    const sorted = g.samples.map(s => s.value).sort((a, b) => a - b)
    const [low, q1, median, q3, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map(q => quantile(sorted, q))
    const whisker = (v: number, to: number) =>
      html`${line(x, y(v), x, y(to), colour)}${line(x - half / 2, y(v), x + half / 2, y(v), colour)}`
    return html`${name}${whisker(low, q1)}${whisker(high, q3)}<rect x="${at(x - half)}" y="${at(y(q3))}" width="${at(2 * half)}" height="${at(Math.max(0.5, y(q1) - y(q3)))}" fill="${colour}" fill-opacity="0.25" stroke="${colour}"><title>${g.name}: median ${significant(median)} ${unit}, ${g.samples.length} views</title></rect>
<line x1="${at(x - half)}" y1="${at(y(median))}" x2="${at(x + half)}" y2="${at(y(median))}" stroke="${colour}" stroke-width="2.5"/>
${g.samples.filter(s => s.value < low || s.value > high).map(s => dot(x, y(s.value), colour, `${s.title}: ${significant(s.value)} ${unit}`, 2))}`
  }
  return drawing(
    f,
    `${title}, ${unit}`,
    html`${axes(f, null, y, { title, y: unit })}${limit && limit.value <= y.domain[1] && html`${line(f.left, y(limit.value), f.right, y(limit.value), 'var(--good)', '5 4')}${label(f.left + 4, y(limit.value) - 5, limit.name)}`}${shown.map(one)}`
  )
}

/** A value for every pair of levels: the darker, the larger. Cells without a value stay empty. */
export function heatMap(
  title: string,
  unit: string,
  columns: { readonly name: string; readonly levels: readonly number[] },
  rows: { readonly name: string; readonly levels: readonly number[] },
  value: (column: number, row: number) => number | null,
  highest: number
): Html {
  const f = { ...frame(560, 92 + 34 * rows.levels.length), left: 58, top: 44 }
  const wide = (f.right - f.left) / columns.levels.length
  const high = (f.bottom - f.top) / rows.levels.length
  const digits = (x: number) => fixed(x, Number.isInteger(x) ? 0 : 1)
  const cells = rows.levels.flatMap((row, j) =>
    columns.levels.map((column, i) => {
      const v = value(column, row)
      const [x, y] = [f.left + i * wide, f.top + j * high]
      const share = v === null ? 0 : Math.max(0.04, Math.min(1, v / highest))
      return html`<rect x="${at(x + 0.5)}" y="${at(y + 0.5)}" width="${at(wide - 1)}" height="${at(high - 1)}" fill="${v === null ? 'var(--line)' : '#d9622b'}" fill-opacity="${(v === null ? 0.35 : share * 0.8).toFixed(3)}"/>
${v !== null && label(x + wide / 2, y + high / 2 + 4, fixed(v, 1), 'middle', 'cell')}`
    })
  )
  return drawing(
    f,
    `${title}, ${unit}`,
    html`${label(f.left, 16, title, 'start', 'title')}${label(f.right, 16, unit, 'end')}${label(f.left - 6, f.top - 8, rows.name, 'end')}${cells}${columns.levels.map(
      (c, i) => label(f.left + (i + 0.5) * wide, f.bottom + 15, digits(c), 'middle')
    )}${rows.levels.map((r, j) => label(f.left - 6, f.top + (j + 0.5) * high + 4, digits(r), 'end'))}${label((f.left + f.right) / 2, f.height - 6, columns.name, 'middle')}`
  )
}

/** Curves over the same axis, from 0 to 100 %. */
export function rateCurves(
  title: string,
  xName: string,
  curves: readonly {
    readonly name: string
    readonly points: readonly { readonly x: number; readonly count: number; readonly of: number }[]
  }[]
): Html {
  const f = { ...frame(560, 310), bottom: 310 - 62 }
  const x = linearScale(
    [0, Math.max(1, ...curves.flatMap(c => c.points.map(p => p.x)))],
    [f.left, f.right],
    6
  )
  const y = linearScale([0, 100], [f.bottom, f.top])
  return drawing(
    f,
    title,
    html`${axes(f, x, y, { title, y: '%' })}${label((f.left + f.right) / 2, f.bottom + 32, xName, 'middle')}${curves.map(
      (c, i) => {
        const colour = methodColour(i)
        const points = c.points.map(p => ({ ...p, y: (100 * p.count) / p.of }))
        return html`<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${points.map(p => `${at(x(p.x))},${at(y(p.y))}`).join(' ')}"/>
${points.map(p => dot(x(p.x), y(p.y), colour, `${c.name}, ${p.x}: ${p.count} of ${p.of}`))}`
      }
    )}${legend(
      f.left,
      f.height - 10,
      f.right - f.left,
      curves.map(c => c.name)
    )}`
  )
}

/** Names with their colours in one line. */
function legend(left: number, y: number, width: number, names: readonly string[]): Html {
  const room = width / Math.max(1, names.length)
  return html`${names.map(
    (name, i) =>
      html`<rect x="${at(left + i * room)}" y="${at(y - 9)}" width="10" height="10" fill="${methodColour(i)}"/>
${label(left + i * room + 15, y, short(name, room - 18))}`
  )}`
}

/** Classes of stated probabilities: narrow at the ends, where nearly all of them lie. */
const CLASSES = [0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1]

/** Wilson's 95 % interval of a share. */
function wilson(count: number, of: number): readonly [low: number, high: number] {
  const z2 = 1.96 ** 2
  const share = count / of
  const middle = (share + z2 / (2 * of)) / (1 + z2 / of)
  const half = (1.96 / (1 + z2 / of)) * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of))
  return [middle - half, middle + half]
}

/** Whether stated probabilities come true: a dot for each class of them with its 95 % interval and its number of views. */
export function reliabilityDiagram(
  title: string,
  names: { readonly stated: string; readonly happened: string },
  samples: readonly { readonly probability: number; readonly happened: boolean }[]
): Html {
  const f = { ...frame(360, 346), top: 44 }
  const x = linearScale([0, 1], [f.left, f.right])
  const y = linearScale([0, 1], [f.bottom, f.top])
  const last = CLASSES.length - 2
  const classes = CLASSES.slice(1).flatMap((high, i) => {
    const mine = samples.filter(
      s => s.probability >= CLASSES[i] && (s.probability < high || (i === last && s.probability <= high))
    )
    if (mine.length === 0) return []
    const count = mine.filter(s => s.happened).length
    const stated = mine.reduce((sum, s) => sum + s.probability, 0) / mine.length
    return [{ stated, count, of: mine.length, share: count / mine.length }]
  })
  return drawing(
    f,
    title,
    html`${axes(f, x, y, { title, x: names.stated })}${label(f.left, 32, names.happened)}${line(x(0), y(0), x(1), y(1), 'var(--soft)', '2 4')}${classes.map(
      c => {
        const [low, high] = wilson(c.count, c.of)
        const beside = c.stated < 0.5 ? (['start', 9] as const) : (['end', -9] as const)
        return html`${line(x(c.stated), y(low), x(c.stated), y(high), 'var(--final)')}${dot(
          x(c.stated),
          y(c.share),
          'var(--final)',
          `${c.count} of ${c.of}, stated ${fixed(c.stated, 3)}`,
          3 + Math.round(6 * Math.sqrt(c.of / samples.length))
        )}${label(x(c.stated) + beside[1], y(c.share) + (c.share > 0.5 ? 15 : -8), String(c.of), beside[0])}`
      }
    )}`
  )
}

/** Median seconds of each part of each method, one bar a method. */
export function timingBars(
  title: string,
  methods: readonly {
    readonly name: string
    readonly parts: readonly { readonly name: string; readonly seconds: number }[]
  }[]
): Html {
  const row = 40
  const f = {
    ...frame(560, 78 + row * methods.length),
    left: 14,
    right: 490,
    bottom: 34 + row * methods.length
  }
  const totals = methods.map(m => m.parts.reduce((s, p) => s + p.seconds, 0))
  const x = linearScale([0, Math.max(1e-3, ...totals)], [f.left, f.right], 6)
  const names = [...new Set(methods.flatMap(m => m.parts.map(p => p.name)))]
  return drawing(
    f,
    title,
    html`${label(f.left, 16, title, 'start', 'title')}${x.ticks.map(t => html`${line(x(t), f.top, x(t), f.bottom, 'var(--line)')}${label(x(t), f.bottom + 15, x.label(t), 'middle')}`)}${methods.map(
      (m, i) => {
        const y = f.top + i * row
        let from = 0
        return html`${label(f.left, y + 15, m.name)}${m.parts.map(p => {
          const start = x(from)
          from += p.seconds
          return html`<rect x="${at(start)}" y="${at(y + 20)}" width="${at(x(from) - start)}" height="14" fill="${methodColour(names.indexOf(p.name))}"><title>${p.name}: ${significant(p.seconds)} s</title></rect>
`
        })}${label(x(from) + 5, y + 31, `${significant(from)} s`)}`
      }
    )}${legend(f.left, f.height - 8, f.width - 2 * f.left, names)}`
  )
}

export interface OutcomePoint {
  readonly x: number
  readonly y: number
  readonly title: string
}

/** Ends of both axes over the points of several methods, so that their plots can be compared by eye. */
export function outcomeEnds(points: readonly OutcomePoint[], limit: Limit) {
  const finite = points.filter(p => Number.isFinite(p.x) && Number.isFinite(p.y))
  return {
    x: extent(finite.map(p => p.x)) ?? ([1, 100] as const),
    y: extent([...finite.map(p => p.y), limit.value]) ?? ([0.1, 10] as const)
  }
}

/** Final against initial error with the line of success (the paper's figure 5), both logarithmic. */
export function outcomePlot(
  title: string,
  points: readonly OutcomePoint[],
  colour: string,
  limit: Limit,
  names: { readonly x: string; readonly y: string },
  ends: ReturnType<typeof outcomeEnds>
): Html {
  const f = { ...frame(380, 330), top: 44 }
  const finite = points.filter(p => Number.isFinite(p.x) && Number.isFinite(p.y))
  const x = logScale(ends.x, [f.left, f.right])
  const y = logScale(ends.y, [f.bottom, f.top])
  return drawing(
    f,
    title,
    html`${axes(f, x, y, { title, x: names.x })}${label(f.left, 32, names.y)}${line(f.left, y(limit.value), f.right, y(limit.value), 'var(--good)', '5 4')}${label(f.right, y(limit.value) - 5, limit.name, 'end')}${finite.map(
      p => dot(x(p.x), y(p.y), p.y < limit.value ? colour : 'var(--bad)', p.title, 2.5)
    )}`
  )
}

/** A drawing as a file of its own: with the colours of light ground, and its fonts. */
export function standaloneSvg(figure: Html): string {
  const colours: Record<string, string> = {
    '--initial': '#b45f06',
    '--final': '#0b63a5',
    '--good': '#1a7f4b',
    '--bad': '#b3261e',
    '--soft': '#5b6570',
    '--line': '#d9dee4',
    '--ink': '#1c2127'
  }
  const style = markup(
    '<style>text{fill:#5b6570;font:11px system-ui,sans-serif}.title{fill:#1c2127;font-weight:600}.cell{fill:#1c2127}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n'
  )
  return figure.html
    .replace(/<svg /, '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace(/>\n/, () => `>\n${style.html}`)
    .replace(/var\((--\w+)\)/g, (whole, name: string) => colours[name] ?? whole)
}

/** Median of values; NaN without any. */
export const medianOf = (values: readonly number[]): number =>
  values.length > 0 ? statistics(values).median : Number.NaN
