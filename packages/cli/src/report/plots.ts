import { type Statistics, statistics } from '@raypose/core'
import { significant } from './format.js'
import { type Html, html } from './html.js'
import { at, axes, dot, drawing, extent, frame, label, line, linearScale, logScale } from './svg.js'

/** A value with what it belongs to, shown when pointed at. */
export interface Sample {
  readonly value: number
  readonly title: string
}

export interface Series {
  readonly name: string
  /** A CSS colour. */
  readonly colour: string
  readonly samples: readonly Sample[]
}

export interface Limit {
  readonly value: number
  readonly name: string
}

const finiteOf = (samples: readonly Sample[]) => samples.filter(s => Number.isFinite(s.value))

const limitLine = (limit: Limit | undefined, y: (v: number) => number, left: number, right: number) =>
  limit &&
  html`${line(left, y(limit.value), right, y(limit.value), 'var(--good)', '5 4')}${label(right, y(limit.value) - 5, limit.name, 'end')}`

/** Distributions side by side on a logarithmic axis: every value as a dot, quartiles as a box, the median as a line. */
export function stripPlot(title: string, unit: string, series: readonly Series[], limit?: Limit): Html {
  const f = frame(420, 300)
  const shown = series.map(s => ({ ...s, samples: finiteOf(s.samples) }))
  const ends = extent([
    ...shown.flatMap(s => s.samples.map(p => p.value)),
    ...(limit ? [limit.value] : [])
  ]) ?? [0.1, 10]
  const y = logScale(ends, [f.bottom, f.top])
  const width = (f.right - f.left) / series.length
  return drawing(
    f,
    `${title}, ${unit}`,
    html`${axes(f, null, y, { title, y: `${unit}, logarithmic` })}${limitLine(limit, y, f.left, f.right)}${shown.map(
      (s, i) => {
        const centre = f.left + (i + 0.5) * width
        const missing = series[i].samples.length - s.samples.length
        const name = `${s.name}${missing > 0 ? ` (${missing} beyond)` : ''}`
        return html`${label(centre, f.bottom + 18, name, 'middle')}${s.samples.map((p, k) =>
          dot(
            centre + width * 0.3 * scatterOf(k),
            y(p.value),
            s.colour,
            `${p.title}: ${significant(p.value)} ${unit}`
          )
        )}${s.samples.length > 0 && box(centre, width * 0.36, y, s.samples, s.colour)}`
      }
    )}`
  )
}

/** Sideways places between −1 and 1 that spread evenly however many there are, and are the same each time. */
const scatterOf = (k: number) => ((k * 0.6180339887498949) % 1) * 2 - 1

function box(
  centre: number,
  half: number,
  y: (v: number) => number,
  samples: readonly Sample[],
  colour: string
): Html {
  const sorted = samples.map(s => s.value).sort((a, b) => a - b)
  const quantile = (q: number) => {
    const h = (sorted.length - 1) * q
    const i = Math.floor(h)
    return sorted[i] + (h - i) * (sorted[Math.min(i + 1, sorted.length - 1)] - sorted[i])
  }
  const [lower, upper] = [y(quantile(0.25)), y(quantile(0.75))]
  const { median }: Statistics = statistics(sorted)
  return html`<rect x="${at(centre - half)}" y="${at(upper)}" width="${at(2 * half)}" height="${at(lower - upper)}" fill="${colour}" fill-opacity="0.13" stroke="${colour}"/>
<line x1="${at(centre - half)}" y1="${at(y(median))}" x2="${at(centre + half)}" y2="${at(y(median))}" stroke="${colour}" stroke-width="2.5"/>
`
}

/** Values against something else, on a logarithmic axis. */
export function againstPlot(
  title: string,
  unit: string,
  xName: string,
  series: readonly {
    readonly name: string
    readonly colour: string
    readonly points: readonly (Sample & { readonly x: number })[]
  }[]
): Html {
  const f = frame(360, 270)
  const points = series.flatMap(s => s.points)
  const x = linearScale(extent(points.map(p => p.x)) ?? [-1, 1], [f.left, f.right], 6)
  const y = logScale(extent(points.map(p => p.value)) ?? [0.1, 10], [f.bottom, f.top])
  return drawing(
    f,
    `${title} against ${xName}`,
    html`${axes(f, x, y, { title, x: xName, y: unit })}${series.map(s =>
      s.points
        .filter(p => Number.isFinite(p.value))
        .map(p => dot(x(p.x), y(p.value), s.colour, `${p.title}: ${significant(p.value)} ${unit}`))
    )}`
  )
}

/** What a refinement made of each start: below the diagonal it got better. */
export function beforeAfterPlot(
  title: string,
  unit: string,
  points: readonly { readonly before: number; readonly after: number; readonly title: string }[],
  limit: Limit
): Html {
  const f = frame(420, 360)
  const finite = points.filter(p => Number.isFinite(p.before) && Number.isFinite(p.after))
  const x = logScale(extent([...finite.map(p => p.before), limit.value]) ?? [0.1, 10], [f.left, f.right])
  const y = logScale(extent([...finite.map(p => p.after), limit.value]) ?? [0.1, 10], [f.bottom, f.top])
  const [low, high] = [Math.max(x.domain[0], y.domain[0]), Math.min(x.domain[1], y.domain[1])]
  return drawing(
    f,
    `${title}: before and after`,
    html`${axes(f, x, y, { title, x: `initial pose, ${unit}`, y: `final pose, ${unit}` })}${
      high > low && line(x(low), y(low), x(high), y(high), 'var(--soft)', '2 4')
    }${limitLine(limit, y, f.left, f.right)}${line(x(limit.value), f.top, x(limit.value), f.bottom, 'var(--good)', '5 4')}${finite.map(
      p =>
        dot(
          x(p.before),
          y(p.after),
          p.after < limit.value ? 'var(--final)' : 'var(--bad)',
          `${p.title}: ${significant(p.before)} to ${significant(p.after)} ${unit}`,
          3.5
        )
    )}`
  )
}

/** A curve, on a logarithmic axis where its values span more than a factor of 20. */
export const curvePlot = (
  title: string,
  xName: string,
  yName: string,
  points: readonly { readonly x: number; readonly y: number }[]
): Html => curvesPlot(title, xName, yName, [{ name: '', colour: 'var(--final)', points }])

/** Curves over the same axes, each with its name beside its last point; axes as {@link curvePlot}. */
export function curvesPlot(
  title: string,
  xName: string,
  yName: string,
  curves: readonly {
    readonly name: string
    /** A CSS colour. */
    readonly colour: string
    readonly points: readonly { readonly x: number; readonly y: number }[]
  }[]
): Html {
  const f = frame(560, 270)
  const shown = curves.map(c => ({
    ...c,
    points: c.points.filter(p => Number.isFinite(p.x) && Number.isFinite(p.y))
  }))
  const all = shown.flatMap(c => c.points)
  const x = linearScale(extent(all.map(p => p.x)) ?? [0, 1], [f.left, f.right], 6)
  const ends = extent(all.map(p => p.y)) ?? [0, 1]
  const y =
    ends[0] > 0 && ends[1] / ends[0] > 20
      ? logScale(ends, [f.bottom, f.top])
      : linearScale(ends, [f.bottom, f.top])
  return drawing(
    f,
    title,
    html`${axes(f, x, y, { title, x: xName, y: yName })}${shown.map(c => {
      const last = c.points[c.points.length - 1]
      return html`<polyline fill="none" stroke="${c.colour}" stroke-width="1.8" stroke-linejoin="round" points="${c.points
        .map(p => `${at(x(p.x))},${at(y(p.y))}`)
        .join(' ')}"/>
${last && c.name && label(x(last.x) - 4, y(last.y) - 6, c.name, 'end')}`
    })}`
  )
}
