// How well a shape model foretells people that it was made without: every patient of an atlas in turn, points of the surfaces and the landmarks.
//   npm run build && node tools/shape-novelty.mjs ATLAS [patient to leave out …]
// Modes from all other patients by themselves with a smooth isotropic displacement, and modes whose weights vary from place to place. Printed: the
// mean log-likelihood a point (higher is better; differences count), and how far a landmark is from where all others, given exactly, foretell it.
import { distance, solveSpd } from '@raypose/core'
import { principalComponents, readAtlas, surfaceModel } from '@raypose/pipeline'

/** Vertices beside the landmarks, evenly by index over all bones. */
const VERTICES = 180
const MODES = 16

const [folder = '../shared/pelvis-atlas', ...leaveOut] = process.argv.slice(2)
const { patients, landmarks } = surfaceModel(await readAtlas(folder), leaveOut)
const vertex = (shape, i) => [...shape.subarray(3 * i, 3 * i + 3)]
const mean = points => [0, 1, 2].map(a => points.reduce((s, q) => s + q[a], 0) / points.length)
/** Landmarks first, then vertices: points of each patient, aligned rigidly. */
const shapes = patients.map(({ shape }) => {
  const count = shape.length / 3
  return [
    ...landmarks.map(l => mean(l.vertices.map(i => vertex(shape, i)))),
    ...Array.from({ length: VERTICES }, (_, k) => vertex(shape, Math.floor(((k + 0.5) * count) / VERTICES)))
  ]
})

/** Lower Cholesky factor, row by row. */
function cholesky(a, n) {
  const l = Float64Array.from(a)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let s = l[i * n + j]
      for (let k = 0; k < j; k++) s -= l[i * n + k] * l[j * n + k]
      l[i * n + j] = i === j ? Math.sqrt(s) : s / l[j * n + j]
    }
  return l
}

function logLikelihood(a, r, n) {
  const l = cholesky(a, n)
  const z = new Float64Array(n)
  let log = 0
  for (let i = 0; i < n; i++) {
    let s = r[i]
    for (let k = 0; k < i; k++) s -= l[i * n + k] * z[k]
    z[i] = s / l[i * n + i]
    log -= 0.5 * z[i] ** 2 + Math.log(l[i * n + i])
  }
  return log
}

/** @param fading what the modes' covariance is multiplied with at a distance; smooth: [deviation, range] mm; alone: mm */
function judge({ fading, smooth, alone }) {
  let likelihood = 0
  const foretold = []
  shapes.forEach((own, p) => {
    const others = shapes.filter((_, i) => i !== p).map(s => s.flat())
    const { mean: middle, modes } = principalComponents(others, MODES)
    const place = i => [middle[3 * i], middle[3 * i + 1], middle[3 * i + 2]]
    const covariance = points => {
      const n = 3 * points
      const c = new Float64Array(n * n)
      for (let i = 0; i < points; i++)
        for (let j = 0; j <= i; j++) {
          const d = distance(place(i), place(j))
          const kept = fading(d)
          const s = smooth[0] ** 2 * Math.exp(-0.5 * (d / smooth[1]) ** 2) + (i === j ? alone ** 2 : 0)
          for (let a = 0; a < 3; a++)
            for (let b = 0; b < 3; b++) {
              let x = 0
              for (const m of modes) x += m[3 * i + a] * m[3 * j + b]
              const value = kept * x + (a === b ? s : 0)
              c[(3 * i + a) * n + 3 * j + b] = value
              c[(3 * j + b) * n + 3 * i + a] = value
            }
        }
      return c
    }
    const residual = own.flat().map((x, i) => x - middle[i])
    likelihood += logLikelihood(covariance(own.length), residual, residual.length) / own.length
    // Of a normal distribution, (P·r)ₖ = Pₖₖ·(rₖ − E[rₖ | others]) with P the inverse covariance, landmark by landmark.
    const n = 3 * landmarks.length
    const c = covariance(landmarks.length)
    const columns = Array.from({ length: n }, (_, k) =>
      solveSpd(
        c,
        Float64Array.from({ length: n }, (_, i) => (i === k ? 1 : 0)),
        n
      )
    )
    const pr = solveSpd(c, Float64Array.from(residual.slice(0, n)), n)
    for (let k = 0; k < landmarks.length; k++) {
      const block = Float64Array.from(
        { length: 9 },
        (_, i) => columns[3 * k + (i % 3)][3 * k + Math.floor(i / 3)]
      )
      foretold.push(...solveSpd(block, pr.subarray(3 * k, 3 * k + 3), 3))
    }
  })
  const sizes = foretold.map(Math.abs).sort((a, b) => a - b)
  return {
    likelihood: likelihood / shapes.length,
    rms: Math.sqrt(foretold.reduce((s, x) => s + x * x, 0) / foretold.length),
    median: sizes[sizes.length >> 1]
  }
}

const gauss = range => d => Math.exp(-0.5 * (d / range) ** 2)
const whole = () => 1
const MODELS = {
  '2 mm of each point alone (as the fit of shape and pose has it)': {
    fading: whole,
    smooth: [0, 1],
    alone: 2
  },
  'modes; 1.9 mm smooth over 40 mm': { fading: whole, smooth: [1.9, 40], alone: 1 },
  'modes; 2.5 mm smooth over 25 mm': { fading: whole, smooth: [2.5, 25], alone: 0.7 },
  'and half their covariance again that fades over 60 mm; 1.5 mm over 30 mm': {
    fading: d => 1 + 0.5 * gauss(60)(d),
    smooth: [1.5, 30],
    alone: 0.7
  },
  'modes of which 40 % fade over 70 mm; 1.5 mm over 30 mm': {
    fading: d => 0.6 + 0.4 * gauss(70)(d),
    smooth: [1.5, 30],
    alone: 1
  }
}
console.log(
  '| model | log-likelihood a point | landmark from the others, mm (rms along an axis) | median |\n|---|---|---|---|'
)
for (const [name, model] of Object.entries(MODELS)) {
  const { likelihood, rms, median } = judge(model)
  console.log(`| ${name} | ${likelihood.toFixed(2)} | ${rms.toFixed(2)} | ${median.toFixed(2)} |`)
}
