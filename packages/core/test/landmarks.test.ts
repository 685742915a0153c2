import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import type { View } from '../src/geometry/view.js'
import { landmarkPosition, mirrorPermutation, PELVIS_LANDMARKS } from '../src/landmarks/definitions.js'
import {
  axisSamples,
  BACK_PROJECTION_GRID,
  evaluationGrid,
  evaluationViews,
  gridViews,
  heightRange,
  latinThird,
  randomViews,
  TRAINING_GRID
} from '../src/landmarks/views.js'
import { createRandom } from '../src/random/random.js'

const ATLAS = resolve(import.meta.dirname, '../../../../shared/pelvis-atlas')

describe('the 23 landmarks', () => {
  const { landmarks } = PELVIS_LANDMARKS
  it('are numbered in order, and mirror pairs point at each other across the median plane', () => {
    expect(landmarks.map(l => l.index)).toEqual(Array.from({ length: 23 }, (_, i) => i + 1))
    const permutation = mirrorPermutation(PELVIS_LANDMARKS)
    landmarks.forEach((l, i) => {
      const m = landmarks[permutation[i]]
      expect(permutation[permutation[i]]).toBe(i)
      expect(m.name).toBe(l.name)
      expect(m.side).toBe({ R: 'L', L: 'R', M: 'M' }[l.side])
      expect(distance(m.mean, [-l.mean[0], l.mean[1], l.mean[2]])).toBe(0)
      // LPS: +x is the patient's left.
      expect(Math.sign(l.mean[0]) + 0).toBe({ R: -1, L: 1, M: 0 }[l.side])
    })
    expect(new Set(landmarks.map(l => l.name + l.side)).size).toBe(23)
  })

  it('are found by name and side', () => {
    expect(landmarkPosition(PELVIS_LANDMARKS, 'anterior superior iliac spine', 'L')).toBe(21)
    expect(() => landmarkPosition(PELVIS_LANDMARKS, 'sacral promontory', 'L')).toThrow(ArgumentError)
  })

  it.skipIf(!existsSync(ATLAS))('have the names, sides and proportions of the pelvis atlas', () => {
    const atlas = JSON.parse(readFileSync(resolve(ATLAS, 'atlas.json'), 'utf8'))
    expect(landmarks.map(({ index, name, side }) => ({ index, name, side }))).toEqual(
      atlas.landmarks.map((l: { index: number; name: string; side: string }) => ({
        index: l.index,
        name: l.name,
        side: l.side
      }))
    )
    const vertices: Record<string, Float32Array> = {}
    for (const [bone, { vertices: file }] of Object.entries<{ vertices: string }>(atlas.bones)) {
      const bytes = readFileSync(resolve(ATLAS, file))
      vertices[bone] = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    }
    const patients: Vec3[][] = atlas.patients.map((_: string, p: number) =>
      atlas.landmarks.map((l: { mean_of: { bone: string; vertex: number }[] }) =>
        [0, 1, 2].map(
          a =>
            l.mean_of.reduce((s, m) => s + vertices[m.bone][(p * 5000 + m.vertex) * 3 + a], 0) /
            l.mean_of.length
        )
      )
    )
    // Distances between landmarks do not depend on how a patient lay; 10 mm is the largest standard deviation.
    for (let i = 0; i < 23; i++)
      for (let j = 0; j < i; j++) {
        const mean = patients.reduce((s, p) => s + distance(p[i], p[j]), 0) / patients.length
        expect(
          Math.abs(mean - distance(landmarks[i].mean, landmarks[j].mean)),
          `${i + 1}–${j + 1}`
        ).toBeLessThan(10)
      }
  })
})

describe('view grids', () => {
  const range = (views: View[], f: (v: View) => number) => {
    const values = views.map(f)
    return [Math.min(...values), Math.max(...values), new Set(values.map(x => x.toFixed(9))).size]
  }
  const inDegrees = (views: View[], key: 'alpha' | 'beta' | 'gamma') => {
    const [low, high, count] = range(views, v => v[key] / DEGREE)
    return [Math.round(low * 1e6) / 1e6 + 0, Math.round(high * 1e6) / 1e6 + 0, count]
  }

  it("are the paper's 3,456 for training", () => {
    const views = gridViews(TRAINING_GRID)
    expect(new Set(views.map(v => JSON.stringify(v))).size).toBe(3456)
    expect(inDegrees(views, 'alpha')).toEqual([-35, 35, 3])
    expect(inDegrees(views, 'beta')).toEqual([-15, 15, 3])
    expect(inDegrees(views, 'gamma')).toEqual([-45, 45, 6])
    for (const a of [0, 1, 2]) expect(range(views, v => v.translation[a])).toEqual([-15, 15, 4])
  })

  it("are the paper's 90 for back-projection", () => {
    const views = gridViews(BACK_PROJECTION_GRID)
    expect(views.length).toBe(90)
    expect(inDegrees(views, 'alpha')).toEqual([-15, 15, 3])
    expect(inDegrees(views, 'beta')).toEqual([0, 0, 1])
    expect(inDegrees(views, 'gamma')).toEqual([-40, 40, 10])
    expect(range(views, v => v.translation[0])).toEqual([0, 0, 1])
    expect(range(views, v => v.translation[2])).toEqual([-15, 15, 3])
  })

  const evaluation = evaluationGrid({ from: -70, to: 100 })
  it("are the paper's 81 for evaluation, none of them a training view", () => {
    const views = gridViews(evaluation)
    expect(views.length).toBe(81)
    expect(inDegrees(views, 'alpha')).toEqual([0, 0, 1])
    expect(inDegrees(views, 'beta')).toEqual([-15, 15, 3])
    expect(inDegrees(views, 'gamma')).toEqual([-40, 40, 9])
    expect(range(views, v => v.translation[2])).toEqual([-70, 100, 3])
    const seen = gridViews(TRAINING_GRID)
    const gap = (a: View, b: View) =>
      Math.abs(a.gamma - b.gamma) / DEGREE + distance(a.translation, b.translation)
    for (const v of views) expect(Math.min(...seen.map(s => gap(v, s)))).toBeGreaterThan(0.9)
  })

  it('have a third of 27 in which every two axes meet at all their levels equally often', () => {
    const views = latinThird(evaluation)
    expect(views.length).toBe(27)
    const whole = new Set(gridViews(evaluation).map(v => JSON.stringify(v)))
    for (const v of views) expect(whole.has(JSON.stringify(v))).toBe(true)
    const pairs = (f: (v: View) => string) => {
      const counts = new Map<string, number>()
      for (const v of views) counts.set(f(v), (counts.get(f(v)) ?? 0) + 1)
      return [counts.size, ...new Set(counts.values())]
    }
    expect(pairs(v => `${v.gamma} ${v.translation[2]}`)).toEqual([27, 1])
    expect(pairs(v => `${v.gamma} ${v.beta}`)).toEqual([27, 1])
    expect(pairs(v => `${v.beta} ${v.translation[2]}`)).toEqual([9, 3])
    expect(() => latinThird(TRAINING_GRID)).toThrow(ArgumentError)
  })

  it('of any count for evaluation: the grid, its third, or draws from its ranges', () => {
    const z = { from: -70, to: 100 }
    expect(evaluationViews(z, 81, createRandom(1))).toEqual(gridViews(evaluation))
    expect(evaluationViews(z, 27, createRandom(1))).toEqual(latinThird(evaluation))
    const ten = evaluationViews(z, 10, createRandom(1))
    expect(new Set(ten.map(v => JSON.stringify(v))).size).toBe(10)
    for (const { alpha, gamma, translation } of ten) {
      expect(alpha).toBe(0)
      expect(Math.abs(gamma)).toBeLessThanOrEqual(40 * DEGREE)
      expect(translation[2]).toBeGreaterThanOrEqual(-70)
      expect(translation[2]).toBeLessThanOrEqual(100)
    }
  })

  it('take the height of the pelvis from the landmarks that are there', () => {
    expect(heightRange([[0, 0, 800], null, [1, 1, 950]], [0, 0, 860])).toEqual({ from: -60, to: 90 })
    expect(() => heightRange([null], [0, 0, 0])).toThrow(ArgumentError)
  })

  it('sample an axis evenly with both ends, a single sample in the middle', () => {
    expect(axisSamples({ from: -1, to: 2, count: 4 })).toEqual([-1, 0, 1, 2])
    expect(axisSamples({ from: -1, to: 2, count: 1 })).toEqual([0.5])
    for (const count of [0, -1, 1.5, Number.NaN])
      expect(() => axisSamples({ from: 0, to: 1, count })).toThrow(ArgumentError)
    expect(() => axisSamples({ from: Number.NaN, to: 1, count: 2 })).toThrow(ArgumentError)
  })

  it('are drawn at random over their ranges, reproducibly', () => {
    const views = randomViews(TRAINING_GRID, 4000, createRandom(3))
    expect(views).toEqual(randomViews(TRAINING_GRID, 4000, createRandom(3)))
    expect(views[0]).not.toEqual(randomViews(TRAINING_GRID, 1, createRandom(4))[0])
    const axes: [(v: View) => number, number][] = [
      [v => v.alpha, 35 * DEGREE],
      [v => v.beta, 15 * DEGREE],
      [v => v.gamma, 45 * DEGREE],
      [v => v.translation[0], 15],
      [v => v.translation[1], 15],
      [v => v.translation[2], 15]
    ]
    for (const [f, half] of axes) {
      const x = views.map(v => f(v) / half)
      expect(x.every(y => Math.abs(y) <= 1)).toBe(true)
      // Uniform on [−1, 1]: mean 0 and mean square 1/3; six standard errors.
      expect(Math.abs(x.reduce((s, y) => s + y, 0) / 4000)).toBeLessThan(6 * Math.sqrt(1 / 3 / 4000))
      expect(Math.abs(x.reduce((s, y) => s + y * y, 0) / 4000 - 1 / 3)).toBeLessThan(
        6 * Math.sqrt(4 / 45 / 4000)
      )
    }
  })

  it('widen about their middle', () => {
    const z = randomViews(evaluation, 2000, createRandom(1), 1.5).map(v => v.translation[2])
    expect(Math.min(...z)).toBeGreaterThanOrEqual(15 - 127.5)
    expect(Math.max(...z)).toBeLessThanOrEqual(15 + 127.5)
    expect(Math.min(...z)).toBeLessThan(-70)
    expect(Math.max(...z)).toBeGreaterThan(100)
  })
})
