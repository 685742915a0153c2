import {
  createPhantom,
  distance,
  IDENTITY3,
  indexToLps,
  type Mat3,
  mulMat3,
  mulMat3Vec3,
  pelvisAnatomy,
  type Vec3,
  type Volume
} from '@raypose/core'
import { createDetector, type Detector as LandmarkDetector } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readModel } from '../src/files/model.js'
import { assertCt, takeIn } from '../src/prepare/intake.js'
import { locateAnatomy } from '../src/prepare/locate.js'
import { ORIENTATIONS, orientationInWords, turnVolume } from '../src/prepare/orientation.js'
import { trainedDetector } from '../src/prepare/prepare.js'
import { bodyOver, misnamed, sampled, skull, thorax } from './bodies.js'

const phantom = createPhantom({ seed: 31, spacing: 2.5, size: [131, 98, 115], tableChance: 0 })
let network: LandmarkDetector
let detector: ReturnType<typeof trainedDetector>
beforeAll(async () => {
  const model = await readModel()
  detector = trainedDetector(model)
  network = await createDetector(model, { threads: 2 })
})
afterAll(() => network.release())

const locate = (v: Volume, isocenter?: Vec3) =>
  locateAnatomy(v, network, detector, pelvisAnatomy(), { isocenter })
/** The isocentre is found where it is, in LPS, whatever the coordinates of the file were. */
const near = (found: Vec3, truth: Vec3) => expect(distance(found, truth)).toBeLessThan(15)

describe('the orientations', () => {
  it('are rotations, all different, and with half a turn all 24 of a cube', () => {
    const halfTurned = ORIENTATIONS.map(r => mulMat3([-1, 0, 0, 0, -1, 0, 0, 0, 1], r))
    const all = [...ORIENTATIONS, ...halfTurned]
    expect(new Set(all.map(r => r.map(x => x + 0).join(' '))).size).toBe(24)
    for (const r of all) {
      expect(mulMat3(r, [r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]]).map(x => x + 0)).toEqual(
        IDENTITY3
      )
      const [a, b, c, d, e, f, g, h, i] = r
      expect(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)).toBe(1)
    }
    expect(ORIENTATIONS[0].map(x => x + 0)).toEqual(IDENTITY3)
  })

  it('are named by where head and front are', () => {
    expect(orientationInWords(IDENTITY3)).toBe('as the file says')
    expect(orientationInWords([-1, 0, 0, 0, -1, 0, 0, 0, 1])).toMatch(
      /head is towards \+z and the front towards \+y/
    )
    expect(orientationInWords([-1, 0, 0, 0, 1, 0, 0, 0, -1])).toMatch(
      /head is towards −z and the front towards −y/
    )
  })

  it('move the grid and leave every voxel at its turned place', () => {
    const r = ORIENTATIONS[7]
    const turned = turnVolume(phantom.ct, r)
    expect(
      distance(indexToLps(turned, [10, 20, 30]), mulMat3Vec3(r, indexToLps(phantom.ct, [10, 20, 30])))
    ).toBeLessThan(1e-9)
  })
})

describe('finding the pelvis', () => {
  it('in a CT whose coordinates are right', async () => {
    const found = await locate(phantom.ct)
    expect(found.lpsFromCt.map(x => x + 0)).toEqual(IDENTITY3)
    expect(found).toMatchObject({ verified: true, orientationsTried: 1, landmarks: 23 })
    near(found.isocenter, phantom.isocenter)
  })

  it.each<[string, Mat3]>([
    ['prone, taken for supine', [-1, 0, 0, 0, -1, 0, 0, 0, 1]],
    ['feet first, taken for head first', [-1, 0, 0, 0, 1, 0, 0, 0, -1]]
  ])('of a patient who lay %s', async (_, ctFromLps) => {
    const found = await locate(misnamed(phantom.ct, ctFromLps))
    expect(mulMat3(found.lpsFromCt, ctFromLps).map(x => x + 0)).toEqual(IDENTITY3)
    near(found.isocenter, phantom.isocenter)
  })

  it('at the end of a whole body of 5 mm slices, with an arm and a table in view', async () => {
    const body = bodyOver(phantom.ct, phantom.isocenter, 700, 5)
    const found = await locate(body)
    near(found.isocenter, phantom.isocenter)
    const { volume, notes } = takeIn(body, found, 'pelvis')
    // The chest is cut off.
    expect(volume.size[2] * volume.spacing[2]).toBeLessThan(400)
    expect(notes.join(' ')).toMatch(/Orientation: as the file says\..*Cropped to.*5\.0 mm apart/)
  })

  it('at a centre that is given in the coordinates of the file', async () => {
    const ctFromLps: Mat3 = [-1, 0, 0, 0, -1, 0, 0, 0, 1]
    const given: Vec3 = mulMat3Vec3(ctFromLps, [
      phantom.isocenter[0] + 5,
      phantom.isocenter[1],
      phantom.isocenter[2]
    ])
    const found = await locate(misnamed(phantom.ct, ctFromLps), given)
    expect(found.verified).toBe(true)
    expect(distance(found.isocenter, mulMat3Vec3(ctFromLps, given))).toBeLessThan(1e-9)
  })
})

describe('a CT without a pelvis is refused', () => {
  it.each<[string, Volume, RegExp]>([
    ['a chest', sampled([90, 68, 40], [4, 4, 5], [-180, -135, -100], thorax), /No pelvis was found/],
    ['a head', sampled([43, 49, 45], [5, 5, 5], [-105, -120, -110], skull), /No pelvis was found/],
    [
      'a box of water',
      sampled([60, 60, 60], [4, 4, 4], [-120, -120, -120], (x, y, z) =>
        Math.max(Math.abs(x), Math.abs(y), Math.abs(z)) < 90 ? 0 : -1000
      ),
      /no bone/
    ]
  ])('%s', async (_, volume, message) => {
    await expect(locate(volume)).rejects.toMatchObject({
      code: 'volume',
      message: expect.stringMatching(message)
    })
  })

  it.each<[string, Volume, RegExp]>([
    ['too few slices', sampled([60, 60, 5], [4, 4, 4], [0, 0, 0], () => 40), /too small/],
    [
      'a tooth',
      sampled([40, 40, 40], [1, 1, 1], [0, 0, 0], (x, y) => (x < 20 && y < 20 ? 1200 : 0)),
      /too small/
    ],
    ['one value', sampled([60, 60, 60], [4, 4, 4], [0, 0, 0], () => 0), /every voxel is 0 HU/],
    ['air', sampled([60, 60, 60], [4, 4, 4], [0, 0, 0], (x, y) => -1000 + ((x + y) % 40)), /only air/]
  ])('%s, before any work', (_, volume, message) => {
    expect(() => assertCt(volume)).toThrow(
      expect.objectContaining({ code: 'volume', message: expect.stringMatching(message) })
    )
  })
})

describe('taking a CT in', () => {
  const located = {
    lpsFromCt: IDENTITY3,
    isocenter: [0, 0, 0] as Vec3,
    agreeing: 20,
    landmarks: 23,
    residualMm: 3,
    verified: true,
    orientationsTried: 1
  }

  it('averages voxels that are needlessly fine and keeps the values', () => {
    const fine = sampled([300, 300, 100], [0.4, 0.4, 1], [-60, -60, -50], (x, y) =>
      Math.hypot(x, y) < 40 ? 700 : 0
    )
    const { volume, notes } = takeIn(fine, located, 'pelvis')
    expect(volume.spacing).toEqual([0.8, 0.8, 1])
    expect(notes.join(' ')).toMatch(/finer than 0\.5 mm were averaged/)
    const sum = (v: Volume) => {
      let total = 0
      for (const x of v.data) total += x
      return total * v.spacing[0] * v.spacing[1] * v.spacing[2]
    }
    expect(sum(volume) / sum(fine)).toBeCloseTo(1, 2)
  })

  it('leaves a CT of the right size as it is', () => {
    const { volume, notes } = takeIn(phantom.ct, { ...located, isocenter: phantom.isocenter }, 'pelvis')
    expect(volume.size).toEqual(phantom.ct.size)
    expect(volume.data.every((x, i) => x === phantom.ct.data[i])).toBe(true)
    expect(notes).toHaveLength(3)
  })
})
