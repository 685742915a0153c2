import { centredDetector, createPhantom, createRandom, DEGREE, poseFromView } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { createPatientDrrs, FEMUR_POSITIONS } from '../src/evaluate/patient-drrs.js'

const phantom = createPhantom({ seed: 3, sex: 'male', spacing: 2, size: [190, 110, 150] })
const camera = {
  detector: centredDetector(1200, [6.4, 6.4], [60, 47]),
  cameraFromLps: poseFromView({ alpha: 0, beta: 0, gamma: 0.1, translation: [0, 0, 0] }, phantom.isocenter)
}
const drrs = (femursDeg: number, seed = 5) =>
  createPatientDrrs({
    volume: phantom.ct,
    points: phantom.landmarks,
    views: 9,
    femursDeg,
    random: createRandom(seed)
  })

describe('the X-rays of a patient whose femurs move', () => {
  it('show the CT as it is where they do not', async () => {
    const still = drrs(0)
    expect(Array.from({ length: 9 }, (_, view) => still.turns(view))).toEqual(new Array(9).fill(null))
    const [first, last] = [await still.drr(0, camera), await still.drr(8, camera)]
    expect(last.data).toEqual(first.data)
    still.dispose()
  })

  it('show the femurs in as many positions as said, each for a run of views, drawn by the seed', async () => {
    const moving = drrs(15)
    const turns = Array.from({ length: 9 }, (_, view) => moving.turns(view))
    expect(new Set(turns).size).toBe(FEMUR_POSITIONS)
    expect([turns[0], turns[3], turns[6]]).toEqual([turns[2], turns[5], turns[8]])
    const angles = turns.flatMap(t => [t?.left, t?.right].flatMap(f => Object.values(f ?? {})))
    expect(angles.length).toBe(54)
    expect(Math.max(...angles.map(Math.abs))).toBeLessThanOrEqual(15 * DEGREE)
    expect(drrs(15).turns(4)).toEqual(turns[4])
    expect(drrs(15, 6).turns(4)).not.toEqual(turns[4])

    const still = drrs(0)
    const [as, moved, again, other] = [
      await still.drr(0, camera),
      await moving.drr(0, camera),
      await moving.drr(2, camera),
      await moving.drr(8, camera)
    ]
    expect(again.data).toEqual(moved.data)
    const change = (a: typeof as, b: typeof as, from: number, to: number) =>
      Math.max(...a.data.slice(from * 60, to * 60).map((x, i) => Math.abs(x - b.data[from * 60 + i])))
    expect(change(as, moved, 0, 47)).toBeGreaterThan(0.2)
    expect(change(moved, other, 0, 47)).toBeGreaterThan(0.2)
    // The upper rim of the picture shows iliac wings, spine and belly: next to nothing moves there.
    expect(change(as, moved, 0, 8)).toBeLessThan(change(as, moved, 24, 47) / 4)
    moving.dispose()
    still.dispose()
  })
})
