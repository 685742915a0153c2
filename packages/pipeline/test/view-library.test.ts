import {
  createPhantom,
  DEGREE,
  type Mat4,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  type View
} from '@raypose/core'
import { afterAll, describe, expect, it } from 'vitest'
import { workingView } from '../src/register/refine.js'
import { prepareRefinement, seenBy } from '../src/register/refinement-volume.js'
import { likenessOf, type ViewSet } from '../src/register/view-library.js'

const detector = PAPER_DETECTOR
const { ct, isocenter, landmarks } = createPhantom({ seed: 46, spacing: 2.5 })
const volume = prepareRefinement(ct)
const seen = seenBy(volume)
const poseOf = (view: Partial<View>, depth?: number): Mat4 =>
  poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0], ...view }, isocenter, depth)
const xray = (cameraFromLps: Mat4) =>
  workingView(
    { image: volume.renderer.render({ detector, cameraFromLps }), detector, hypotheses: [], landmarks: [] },
    []
  )
const off = (pose: Mat4, truth: Mat4) => poseErrors(detector, pose, truth, landmarks).projectionDistance
const search = (truth: Mat4, set: ViewSet, most = 5) =>
  volume.library(detector, isocenter, set).compare(xray(truth), most)

describe('DRRs of C-arm positions', () => {
  afterAll(() => volume.dispose())

  it.each([
    ['oblique, between two positions', { alpha: 5 * DEGREE, beta: -6 * DEGREE, gamma: 25 * DEGREE }],
    ['beside the middle', { gamma: -15 * DEGREE, translation: [38, 0, 0] as const }],
    ['high', { alpha: -7 * DEGREE, translation: [-10, 8, 95] as const }],
    ['low', { gamma: 35 * DEGREE, translation: [10, -12, -85] as const }]
  ])('one of the best is near the pose: %s', (_, view) => {
    const truth = poseOf(view)
    const { poses } = search(truth, 'front')
    expect(poses).toHaveLength(5)
    expect(Math.min(...poses.map(p => off(p, truth)))).toBeLessThan(25)
  })

  it('are of the side that is asked for', () => {
    const truth = poseOf({ gamma: Math.PI + 12 * DEGREE })
    const behind = search(truth, 'behind')
    expect(off(behind.poses[0], truth)).toBeLessThan(25)
    // Seen from the front nothing is as like it.
    expect(Math.max(...search(truth, 'front').scores)).toBeLessThan(0.8 * Math.max(...behind.scores))
  })

  it('lie about a view that is given', () => {
    const view = { alpha: 3 * DEGREE, beta: 0, gamma: 88 * DEGREE }
    const truth = poseOf({
      alpha: 7 * DEGREE,
      beta: 4 * DEGREE,
      gamma: 94 * DEGREE,
      translation: [10, 0, 20]
    })
    expect(off(search(truth, view).poses[0], truth)).toBeLessThan(25)
  })

  it('are rendered once, and scored one by one', () => {
    const library = volume.library(detector, isocenter, 'front')
    expect(volume.library(detector, isocenter, 'front')).toBe(library)
    const { poses, scores } = library.compare(xray(poseOf({})), 10_000)
    expect(scores.length).toBeGreaterThan(600)
    expect(poses.length).toBeGreaterThan(scores.length)
    for (const s of scores) expect(Number.isFinite(s)).toBe(true)
  })

  it('are as like an X-ray as the pose is, by the same measure', () => {
    const truth = poseOf({ alpha: 2 * DEGREE, gamma: 10 * DEGREE })
    const view = xray(truth)
    const { poses, scores } = volume.library(detector, isocenter, 'front').compare(view, 1)
    const [best] = [...scores].sort((a, b) => b - a)
    const there = likenessOf(seen, view, truth)
    expect(there).toBeGreaterThan(best)
    // What moving a DRR stands for is not quite what the moved pose shows.
    expect(likenessOf(seen, view, poses[0])).toBeGreaterThan(0.8 * best)
  })
})
