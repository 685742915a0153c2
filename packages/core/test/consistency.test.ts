import { describe, expect, it } from 'vitest'
import type { Vec3 } from '../src/geometry/linear.js'
import { findConfusions } from '../src/landmarks/consistency.js'
import { landmarkPosition, PELVIS_LANDMARKS } from '../src/landmarks/definitions.js'
import { pelvisAnatomy } from '../src/phantom/shape-model.js'

const expected = PELVIS_LANDMARKS.landmarks.map(l => l.mean)
const at = (name: string, side: 'R' | 'L' | 'M') => landmarkPosition(PELVIS_LANDMARKS, name, side)
const spineR = at('ischial spine', 'R')
const spineL = at('ischial spine', 'L')
const tubercleR = at('pubic tubercle', 'R')
const tubercleL = at('pubic tubercle', 'L')
const moved = (p: Vec3, by: Vec3): Vec3 => [p[0] + by[0], p[1] + by[1], p[2] + by[2]]
const find = (points: readonly (Vec3 | null)[]) => findConfusions(pelvisAnatomy(), points, expected)

describe('landmarks taken for each other', () => {
  it('are none where every one is at its place, or 10 mm off it, or missing', () => {
    expect(find(expected)).toEqual([])
    expect(find(expected.map(p => moved(p, [6, -6, 5])))).toEqual([])
    expect(find(expected.map((p, i) => (i % 3 ? p : null)))).toEqual([])
  })

  it('are both of a pair whose sides are exchanged', () => {
    const points = [...expected]
    points[spineR] = expected[spineL]
    points[spineL] = expected[spineR]
    const found = find(points)
    expect(found.map(c => c.landmark)).toEqual([spineR, spineL])
    expect(found[0].reason).toMatch(/where ischial spine L belongs/)
  })

  it('are the one of two in the same place that does not belong there', () => {
    const points = [...expected]
    // The right tubercle on the left one, but a little to the right of it: nearer to its own place than half-way it is not.
    points[tubercleR] = moved(expected[tubercleL], [-4, 0, 0])
    expect(find(points).map(c => c.landmark)).toEqual([tubercleR])
    // Two different landmarks, not partners, in one place.
    const other = [...expected]
    other[at('inferior acetabular rim', 'R')] = moved(expected[spineR], [0, 3, 0])
    const [c] = find(other)
    expect(c.landmark).toBe(at('inferior acetabular rim', 'R'))
    expect(c.reason).toMatch(/3 mm from ischial spine R: the same point twice/)
  })
})
