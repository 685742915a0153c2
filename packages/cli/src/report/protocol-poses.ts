import { type Mat4, sourcePosition, sub, type Vec3 } from '@raypose/core'
import { type Html, html } from './html.js'
import { at, dot, drawing, label, line } from './svg.js'

export interface PoseScene {
  /** What errors are measured at: drawn as dots. LPS mm. */
  readonly targets: readonly Vec3[]
  /** Points of the bone's surface, drawn as a cloud that shows what lies there; LPS mm. */
  readonly surface?: readonly Vec3[]
  readonly isocenter: Vec3
  readonly views: readonly {
    readonly truth: Mat4
    /** The estimate that its source is joined to, where there is one. */
    readonly estimate: Mat4 | null
    readonly title: string
  }[]
}

/** From where a scene is seen: turned about the patient's long axis from the front, and from above. Degrees. */
export interface Viewpoint {
  readonly turn: number
  readonly tilt: number
}
export const OBLIQUE: Viewpoint = { turn: 35, tilt: 22 }
export const FROM_HEAD: Viewpoint = { turn: 0, tilt: 90 }

/**
 * The C-arm's sources around the patient in 3D (the paper's figure 3): each true one as a ring on its beam, the estimated one as a
 * dot joined to it.
 */
export function posesPlot(title: string, scene: PoseScene, { turn, tilt }: Viewpoint): Html {
  const [width, height] = [560, 400]
  const [t, e] = [(turn * Math.PI) / 180, (tilt * Math.PI) / 180]
  // x to the patient's left, y to the back, z up; seen from the front (−y), turned and from above.
  const project = (p: Vec3) => {
    const [x, y, z] = sub(p, scene.isocenter)
    const across = x * Math.cos(t) + y * Math.sin(t)
    const deep = -x * Math.sin(t) + y * Math.cos(t)
    return { x: across, y: -(z * Math.cos(e) - deep * Math.sin(e)), deep }
  }
  const sources = scene.views.map(v => ({
    ...v,
    from: project(sourcePosition(v.truth)),
    found: v.estimate && project(sourcePosition(v.estimate))
  }))
  const body = scene.targets.map(project)
  const cloud = (scene.surface ?? []).map(project)
  const axes = (
    [
      ['left', [150, 0, 0]],
      ['back', [0, 150, 0]],
      ['head', [0, 0, 150]]
    ] as const
  ).map(([name, d]) => ({
    name,
    end: project([0, 1, 2].map(k => scene.isocenter[k] + d[k]) as unknown as Vec3)
  }))
  const all = [...sources.map(s => s.from), ...body, ...cloud, ...axes.map(a => a.end)]
  const ends = (pick: (p: { x: number; y: number }) => number) => {
    const values = all.map(pick)
    return [Math.min(...values), Math.max(...values)] as const
  }
  const [[x0, x1], [y0, y1]] = [ends(p => p.x), ends(p => p.y)]
  const scale = Math.min((width - 60) / (x1 - x0 || 1), (height - 80) / (y1 - y0 || 1))
  const px = (p: { x: number }) => width / 2 + (p.x - (x0 + x1) / 2) * scale
  const py = (p: { y: number }) => height / 2 + 14 + (p.y - (y0 + y1) / 2) * scale
  const centre = project(scene.isocenter)
  const frame = { width, height, left: 0, right: width, top: 0, bottom: height }
  return drawing(
    frame,
    title,
    html`${label(12, 16, title, 'start', 'title')}${sources.map(s =>
      line(px(s.from), py(s.from), px(centre), py(centre), 'var(--line)')
    )}${axes.map(a => html`${line(px(centre), py(centre), px(a.end), py(a.end), 'var(--ink)')}${label(px(a.end) + 4, py(a.end), a.name)}`)}<path d="${cloud.map(p => `M${at(px(p))} ${at(py(p))}h0`).join('')}" stroke="var(--soft)" stroke-opacity="0.45" stroke-width="1.4" stroke-linecap="round"/>
${body.map(
  p => html`<circle cx="${at(px(p))}" cy="${at(py(p))}" r="2" fill="var(--good)"/>
`
)}${sources.map(
  s => html`${s.found && html`${line(px(s.from), py(s.from), px(s.found), py(s.found), 'var(--initial)')}${dot(px(s.found), py(s.found), 'var(--initial)', s.title, 2.5)}`}<circle cx="${at(px(s.from))}" cy="${at(py(s.from))}" r="3.5" fill="none" stroke="var(--final)"><title>${s.title}</title></circle>
`
)}${label(12, height - 8, 'rings: true sources; dots: by the initial pose; green: targets')}${label(width - 12, height - 8, '100 mm', 'end')}${line(width - 12 - 100 * scale, height - 24, width - 12, height - 24, 'var(--ink)')}`
  )
}
