// Simulated registrations, right and wrong, for tools/calibrate-status.mjs: one scene is a procedural patient with X-rays of itself,
// of the patient before, mirrored, of something else and of nothing.
import {
  composeRigid,
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  drawFemurTurns,
  heightRange,
  invertRigid,
  linearise,
  mirrorDetector,
  mirrorImage,
  mirrorPermutation,
  movableFemurs,
  onDetector,
  PAPER_DETECTOR,
  PELVIS_LANDMARKS,
  PoseError,
  poseErrors,
  poseFromLandmarks,
  poseFromView,
  project,
  RayposeError,
  renderMaterials,
  rigidPoseVariables,
  simulateReading,
  simulateXray,
  UNIT_SCALE,
  XRAY_PRESETS
} from '@raypose/core'
import { lineIntegrals, prepareRefinement, refineViews, registrationEvidence } from '@raypose/pipeline'

const DETECTOR = PAPER_DETECTOR
const POSES = 8
const PRESETS = ['paper', 'c-arm', 'worst']
const PAIR_DEGREES = [50, 90]

/** A patient with X-rays: materials once for each pose, all presets from these. */
export function openPatient(seed, spacing) {
  const random = createRandom(seed + 7)
  const phantom = createPhantom({
    seed,
    spacing,
    ...(random.chance(0.5) ? { completeness: 0.9, tableChance: 0.3 } : {})
  })
  const angle = range => random.uniform(-range, range) * DEGREE
  // The protocol's views are level with the lowest landmark, with the highest, or between.
  const height = heightRange(phantom.landmarks, phantom.isocenter)
  const poses = Array.from({ length: POSES }, () => {
    const view = {
      alpha: angle(18),
      beta: angle(18),
      gamma: angle(40),
      translation: [
        random.uniform(-18, 18),
        random.uniform(-18, 18),
        [height.from, height.to, random.uniform(height.from, height.to)][random.integer(3)]
      ]
    }
    return poseFromView(view, phantom.isocenter)
  })
  // The last two are partners of the first two, about the patient's axis.
  for (const k of [0, 1]) {
    const turn = random.uniform(...PAIR_DEGREES) * DEGREE * (random.chance(0.5) ? 1 : -1)
    poses[POSES - 2 + k] = orbited(poses[k], phantom.isocenter, turn)
  }
  const cameras = poses.map(cameraFromLps => ({ detector: DETECTOR, cameraFromLps }))
  // Half of the patients are shown by a polychromatic beam, half by line integrals at one energy, as the protocol's are.
  const render = random.chance(0.5) ? renderMaterials : lineIntegralsOf
  const shown = render(phantom.ct, cameras)
  const bones = bonesOf(phantom)
  return {
    seed,
    phantom,
    poses,
    shown,
    bones,
    moved: withFemursMoved(bones, cameras, random, render) ?? shown
  }
}

/** The femurs told apart, as preparation does; null where the scan shows no head of one whole. */
function bonesOf({ ct, landmarks }) {
  try {
    const movable = movableFemurs(ct, landmarks)
    return movable.joints.length > 0 ? movable : null
  } catch (error) {
    if (error instanceof RayposeError) return null
    throw error
  }
}

/** With femurs in two other positions. */
function withFemursMoved(movable, cameras, random, render) {
  if (!movable) return null
  const half = cameras.length / 2
  return [cameras.slice(0, half), cameras.slice(half)].flatMap(part =>
    render(movable.move(drawFemurTurns(random, XRAY_PRESETS.worst.femursDeg)), part)
  )
}

function lineIntegralsOf(ct, cameras) {
  const renderer = createWasmRenderer(ct, { quality: 'finest' })
  try {
    return cameras.map(camera => renderer.render(camera))
  } finally {
    renderer.dispose()
  }
}

/** What one of the patient's poses shows, as a preset has the patient lie; at `c-arm` every other one has moved, as patients do. */
const shownBy = (patient, preset, i) =>
  (XRAY_PRESETS[preset].femursDeg > 0 || (preset === 'c-arm' && i % 2 === 1) ? patient.moved : patient.shown)[
    i
  ]

function orbited(pose, centre, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const [x, y] = centre
  const turn = [c, -s, 0, x - c * x + s * y, s, c, 0, y - s * x - c * y, 0, 0, 1, 0, 0, 0, 0, 1]
  return composeRigid(pose, turn)
}

/** Rows of one scene. @param before the patient of another scene */
export function* sceneCases(patient, before) {
  const { phantom, seed, poses } = patient
  const ct = prepareRefinement(phantom.ct, patient.bones)
  const random = createRandom(seed * 31 + 5)
  const scene = { ct, patient, phantom, random, seed }
  const preset = () => PRESETS[random.integer(PRESETS.length)]
  try {
    for (let i = 0; i < POSES; i++)
      for (const p of PRESETS) {
        const image = xray(shownBy(patient, p, i), poses[i], p, seed * 100 + i)
        yield judged(scene, 'own', p, [{ image, truth: poses[i] }])
      }
    // Starts that no registration comes back from, more of them than there would be.
    for (let i = 0; i < POSES; i++) {
      const p = preset()
      const image = xray(shownBy(patient, p, i), poses[i], p, seed * 100 + 40 + i)
      yield judged(scene, 'own', p, [{ image, truth: poses[i] }], 'hopeless')
    }
    for (const k of [0, 1])
      for (const wrong of [false, true]) {
        const p = preset()
        const pair = [k, POSES - 2 + k].map(i => ({
          image: xray(shownBy(patient, p, i), poses[i], p, seed * 100 + 50 + i),
          truth: poses[i]
        }))
        yield judged(scene, wrong ? 'contradicting' : 'pair', p, pair)
      }
    for (let i = 0; i < POSES; i += 2) {
      const p = preset()
      const image = mirrorImage(xray(shownBy(patient, p, i), poses[i], p, seed * 100 + 60 + i))
      yield judged(scene, 'mirrored', p, [{ image, truth: poses[i] }])
    }
    for (let i = 0; i < POSES; i++) {
      const p = preset()
      const image = xray(shownBy(before, p, i), before.poses[i], p, seed * 100 + 70 + i)
      yield judged(scene, 'other patient', p, [{ image, truth: before.poses[i], of: before.phantom }])
    }
    yield* sureCases(scene, before, poses)
    for (let i = 0; i < 4; i++) {
      const p = preset()
      const image = xray(somethingElse(random), poses[i], p, seed * 100 + 80 + i)
      yield judged(scene, 'other anatomy', p, [{ image, truth: poses[i] }])
    }
    for (let i = 0; i < 2; i++) {
      const p = preset()
      const image = xray(nothing(), poses[i], p, seed * 100 + 90 + i)
      yield judged(scene, 'empty', p, [{ image, truth: poses[i] }])
    }
  } finally {
    ct.dispose()
  }
}

/**
 * Of somebody or something else with a start that is taken for right, so that no search is made: as where a user gives a pose, or a frame is followed.
 */
function* sureCases(scene, before, poses) {
  const { random, seed } = scene
  for (let i = 0; i < POSES; i++) {
    const p = PRESETS[random.integer(PRESETS.length)]
    const [kind, shown, view] =
      i < 4
        ? ['other patient', shownBy(before, p, i), { truth: before.poses[i], of: before.phantom }]
        : [i < 6 ? 'other anatomy' : 'empty', i < 6 ? somethingElse(random) : nothing(), { truth: poses[i] }]
    const image = xray(shown, view.truth, p, seed * 100 + 92 + i)
    yield judged(scene, kind, p, [{ image, ...view }], i % 2 === 0 ? 'near' : 'poor', 1)
  }
  // Of the patient, from where no registration comes back.
  for (let i = 0; i < 4; i++) {
    const p = PRESETS[random.integer(PRESETS.length)]
    const image = xray(shownBy(scene.patient, p, i), poses[i], p, seed * 100 + 46 + i)
    yield judged(scene, 'own', p, [{ image, truth: poses[i] }], 'hopeless', 1)
  }
}

/** @param seen materials, or line integrals */
function xray(seen, cameraFromLps, preset, seed) {
  if (seen.data) {
    const reading = simulateReading(
      seen,
      DETECTOR.pixel[0],
      XRAY_PRESETS[preset],
      createRandom(seed),
      DETECTOR.sdd
    )
    return linearise(reading, { kind: 'intensity' })
  }
  const shown = simulateXray(seen, { detector: DETECTOR, cameraFromLps }, XRAY_PRESETS[preset], { seed })
  try {
    return lineIntegrals(shown)
  } catch {
    // Nothing at all but one value: the detector's own noise instead.
    return linearise(shown.reading, { kind: 'intensity' })
  }
}

const [WIDTH, HEIGHT] = DETECTOR.size

/** Bones of no anatomy: rods and shells in a body of water. */
function somethingElse(random) {
  const soft = new Float32Array(WIDTH * HEIGHT)
  const bone = new Float32Array(WIDTH * HEIGHT)
  const blobs = Array.from({ length: 14 }, () => ({
    x: random.uniform(0, WIDTH),
    y: random.uniform(0, HEIGHT),
    a: random.uniform(5, 70),
    b: random.uniform(4, 20),
    turn: random.uniform(0, Math.PI),
    density: random.uniform(0.3, 2.5)
  }))
  const [bodyX, bodyY] = [random.uniform(80, 200), random.uniform(80, 200)]
  for (let v = 0, i = 0; v < HEIGHT; v++)
    for (let u = 0; u < WIDTH; u++, i++) {
      const r = ((u - WIDTH / 2) / bodyX) ** 2 + ((v - HEIGHT / 2) / bodyY) ** 2
      soft[i] = r < 1 ? 20 * Math.sqrt(1 - r) : 0
      for (const { x, y, a, b, turn, density } of blobs) {
        const [c, s] = [Math.cos(turn), Math.sin(turn)]
        const q = ((c * (u - x) + s * (v - y)) / a) ** 2 + ((c * (v - y) - s * (u - x)) / b) ** 2
        if (q < 1) bone[i] += density * Math.sqrt(1 - q)
      }
    }
  return { width: WIDTH, height: HEIGHT, layers: { softTissue: soft, bone } }
}

const nothing = () => ({
  width: WIDTH,
  height: HEIGHT,
  layers: { softTissue: new Float32Array(WIDTH * HEIGHT) }
})

const QUALITY = {
  good: { mm: [1.5, 4], wrong: [0, 0.12], missed: 0.1 },
  poor: { mm: [5, 12], wrong: [0.2, 0.5], missed: 0.4 },
  bad: { mm: [8, 25], wrong: [0.4, 0.9], missed: 0.5 }
}
/** How sure the landmarks are of their pose, see `initial-pose.md`: below 0.85 poses are looked for all about the anatomy. */
const CERTAINTY = { good: [0.6, 1], poor: [0.1, 0.9], bad: [0, 0.7], near: [0.6, 1], hopeless: [0, 1] }

/** What a network might say of an X-ray of `phantom` (at `truth`), mirrored or not; at random where it shows no pelvis. */
function detect(kind, { phantom, random }, { truth, of = phantom }, quality) {
  const q = QUALITY[quality] ?? QUALITY.poor
  const mm = random.uniform(...q.mm)
  const wrongShare = random.uniform(...q.wrong)
  const partner = mirrorPermutation(PELVIS_LANDMARKS)
  const anything = kind === 'other anatomy' || kind === 'empty'
  return phantom.landmarks.map((_, i) => {
    const mirrored = kind === 'mirrored'
    const p = of.landmarks[mirrored ? partner[i] : i]
    const seen = project({ detector: DETECTOR, cameraFromLps: truth }, p)
    const at = mirrored ? { u: WIDTH - 1 - seen.u, v: seen.v } : seen
    const wrong = anything || random.chance(wrongShare)
    const visible = onDetector(DETECTOR, at.u, at.v) && !random.chance(q.missed)
    const noise = () => (mm / Math.SQRT2 / DETECTOR.pixel[0]) * random.normal()
    return {
      name: String(i),
      u: wrong ? random.uniform(0, WIDTH - 1) : at.u + noise(),
      v: wrong ? random.uniform(0, HEIGHT - 1) : at.v + noise(),
      confidence: anything ? (random.chance(0.4) ? 0.5 : 0.1) : visible ? random.uniform(0.5, 1) : 0,
      residualMm: Number.NaN,
      inlier: visible
    }
  })
}

/** A pose off by about `mm` at the pelvis, turns and shifts together. */
function displaced(truth, centre, mm, random) {
  const draw = Array.from({ length: 6 }, () => random.normal())
  const scale = { rotation: (mm / 2.5 / 80) * 0.8, inPlane: mm / 2.5 / 1.4, depth: mm / 1.8 }
  return rigidPoseVariables(truth, centre, scale).poseAt(draw)
}

function startsOf(kind, scene, view, quality) {
  const { phantom, random } = scene
  const centre = phantom.isocenter
  if (quality === 'hopeless') {
    const far = displaced(view.truth, centre, random.uniform(50, 200), random)
    return { hypotheses: [far], landmarks: [] }
  }
  if (quality === 'near')
    return { hypotheses: [displaced(view.truth, centre, random.uniform(5, 30), random)], landmarks: [] }
  const landmarks = detect(kind, scene, view, quality)
  try {
    const { hypotheses } = poseFromLandmarks(phantom.landmarks, landmarks, DETECTOR, { isocenter: centre })
    return { hypotheses: hypotheses.map(h => h.cameraFromLps), landmarks }
  } catch (error) {
    // Then poses are looked for without them.
    if (error instanceof PoseError) return { hypotheses: [], landmarks, certainty: 0 }
    throw error
  }
}

/** What of each quality a preset's X-rays get from a network. */
function drawQuality(preset, random) {
  const shares =
    preset === 'worst'
      ? { good: 0.35, poor: 0.15, bad: 0.35, near: 0.15 }
      : { good: 0.5, poor: 0.2, bad: 0.05, near: 0.25 }
  let left = random.next()
  for (const [quality, share] of Object.entries(shares)) {
    left -= share
    if (left < 0) return quality
  }
  return 'near'
}

/** Landmarks of somebody or something else are seldom sure. */
const certaintyOf = (kind, quality, random) =>
  random.uniform(...(kind === 'own' || kind === 'pair' ? CERTAINTY[quality] : [0, 0.9]))

/**
 * Registers as the registrar does, and says how it went; null where there is no pose.
 * @param wanted quality of the landmarks; drawn where not given
 * @param sure of their pose; drawn where not given
 */
function judged(scene, kind, preset, views, wanted, sure) {
  const { ct, phantom, random, seed } = scene
  const centre = phantom.isocenter
  const quality = wanted ?? drawQuality(preset, random)
  const started = performance.now()
  const xrays = []
  for (const [i, view] of views.entries()) {
    const starts = {
      certainty: sure ?? certaintyOf(kind, quality, random),
      ...startsOf(kind, scene, view, quality)
    }
    const known = i === 0 ? undefined : composeRigid(view.truth, invertRigid(views[0].truth))
    const relative =
      known && kind === 'contradicting'
        ? displaced(known, [0, 0, 700], random.uniform(15, 60), random)
        : known
    const detector = kind === 'mirrored' ? mirrorDetector(DETECTOR) : DETECTOR
    xrays.push({ image: view.image, detector, cameraFromFirst: relative, ...starts })
  }
  let refinement
  try {
    refinement = refineViews(ct, xrays, phantom.landmarks, centre)
  } catch (error) {
    // No pose shows the anatomy in the picture.
    if (error instanceof PoseError) return null
    throw error
  }
  const refined = performance.now()
  const { evidence, byCurvature, covariance, cameraFromLps } = registrationEvidence(
    ct,
    refinement,
    phantom.landmarks,
    centre,
    1
  )
  const own = kind === 'own' || kind === 'pair' || kind === 'contradicting'
  // With contradicting views one camera may be right: the worst counts.
  const errors =
    own && worst(views.map((v, i) => poseErrors(DETECTOR, refinement.cameras[i], v.truth, phantom.landmarks)))
  return {
    scene: seed,
    kind,
    preset,
    quality,
    views: views.length,
    evidence: jsonEvidence(evidence),
    tre: errors ? errors.tre : null,
    mpd: errors ? Math.min(errors.projectionDistance, FAR) : null,
    own,
    mahalanobis:
      errors && byCurvature ? mahalanobis(cameraFromLps, views[0].truth, centre, byCurvature) : null,
    reported: errors && covariance ? mahalanobis(cameraFromLps, views[0].truth, centre, covariance) : null,
    seconds: (refined - started) / 1000,
    judgeSeconds: (performance.now() - refined) / 1000
  }
}

const worst = all => all.reduce((a, b) => (b.projectionDistance > a.projectionDistance ? b : a))

/** JSON has no infinity. */
const FAR = 1e4

/** … and no NaN. */
const orNull = x => (Number.isNaN(x) ? null : x)
const jsonEvidence = e => ({
  ...e,
  overRival: orNull(e.overRival),
  overSearched: orNull(e.overSearched),
  outstanding: orNull(e.outstanding)
})

/** Squared, of the error under the covariance: χ² of six degrees of freedom where that is right. */
function mahalanobis(pose, truth, centre, covariance) {
  const e = rigidPoseVariables(pose, centre, UNIT_SCALE).variablesOf(truth)
  const scale = Array.from({ length: 6 }, (_, k) => Math.sqrt(covariance[7 * k]))
  // Gaussian elimination on the correlation matrix.
  const a = Array.from({ length: 6 }, (_, r) => [
    ...Array.from({ length: 6 }, (_, c) => covariance[6 * r + c] / scale[r] / scale[c]),
    e[r] / scale[r]
  ])
  for (let k = 0; k < 6; k++)
    for (let r = k + 1; r < 6; r++) {
      const f = a[r][k] / a[k][k]
      for (let c = k; c < 7; c++) a[r][c] -= f * a[k][c]
    }
  const x = new Array(6).fill(0)
  for (let r = 5; r >= 0; r--) {
    x[r] = a[r][6]
    for (let c = r + 1; c < 6; c++) x[r] -= a[r][c] * x[c]
    x[r] /= a[r][r]
  }
  return x.reduce((s, v, k) => s + (v * e[k]) / scale[k], 0)
}
