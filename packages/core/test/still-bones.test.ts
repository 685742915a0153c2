import { describe, expect, it } from 'vitest'
import { distance, type Mat3, type Vec3 } from '../src/geometry/linear.js'
import { rotationZ } from '../src/geometry/rotation.js'
import { BONE_LABELS, type BoneLabels } from '../src/hips/femur-labels.js'
import type { HipJoint } from '../src/hips/hip-joints.js'
import { bonesAlone, withoutFemurs } from '../src/hips/still-bones.js'
import { indexToLps, type Volume } from '../src/volume/volume.js'

/** Voxels of 1.5 × 1 × 2 mm, turned by 30° about z, whose middle is at 0. */
function turnedCt(hu: (p: Vec3) => number): Volume<Int16Array> {
  const size: Vec3 = [100, 150, 50]
  const spacing: Vec3 = [1.5, 1, 2]
  const direction: Mat3 = rotationZ(Math.PI / 6)
  const grid = { size, spacing, direction, origin: [0, 0, 0] as Vec3 }
  const middle = indexToLps(grid, [49.5, 74.5, 24.5])
  const volume = {
    ...grid,
    origin: middle.map(x => -x) as unknown as Vec3,
    data: new Int16Array(size[0] * size[1] * size[2])
  }
  eachVoxel(volume, (p, o) => {
    volume.data[o] = hu(p)
  })
  return volume
}

function eachVoxel(volume: Volume<Int16Array>, visit: (p: Vec3, o: number) => void): void {
  const [ni, nj, nk] = volume.size
  for (let k = 0, o = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) for (let i = 0; i < ni; i++, o++) visit(indexToLps(volume, [i, j, k]), o)
}

const HEAD = 12
const joint: HipJoint = { side: 'left', centre: [0, 0, 0], radius: HEAD, neck: [1, 0, 0] }
/** A rod of radius 6 mm along x from the joint, and a slab of bone that stays, from x = 2 on, 3 mm above it. */
const inRod = ([x, y, z]: Vec3) => x >= 0 && x <= 40 && Math.hypot(y, z) <= 6
const inSlab = ([x, , z]: Vec3) => z >= 9 && x >= 2 && x <= 40
const labels: BoneLabels = {
  origin: [-60, -60, -40],
  size: [61, 61, 41],
  spacing: 2,
  data: new Uint8Array(61 * 61 * 41)
}
for (let k = 0, o = 0; k < 41; k++)
  for (let j = 0; j < 61; j++)
    for (let i = 0; i < 61; i++, o++) {
      const p: Vec3 = [-60 + 2 * i, -60 + 2 * j, -40 + 2 * k]
      labels.data[o] = inRod(p) ? BONE_LABELS.leftFemur : inSlab(p) ? BONE_LABELS.fixed : BONE_LABELS.none
    }

describe('a CT without its femurs', () => {
  const ct = turnedCt(p => (inRod(p) ? 700 : inSlab(p) ? 900 : -20))

  it('has flesh where they were beyond their heads, whatever its grid, and is the same elsewhere', () => {
    const still = withoutFemurs(ct, labels, [joint])
    const counts = { rod: 0, head: 0, slab: 0, far: 0, wrong: 0 }
    eachVoxel(ct, (p, o) => {
      const far = distance(p, joint.centre)
      const is = (what: 'rod' | 'head' | 'slab' | 'far', hu: number) => {
        counts[what]++
        if (still.data[o] !== hu) counts.wrong++
      }
      if (inRod(p) && far > HEAD + 3) is('rod', 50)
      if (far < HEAD - 1) is('head', ct.data[o])
      if (p[2] > 10.5 && inSlab(p)) is('slab', 900)
      if (p[0] < -2 || p[0] > 45 || Math.hypot(p[1], p[2]) > 11) is('far', ct.data[o])
    })
    expect(counts.wrong).toBe(0)
    expect(counts.rod).toBeGreaterThan(500)
    expect(counts.head).toBeGreaterThan(500)
    expect(counts.slab).toBeGreaterThan(500)
    expect(counts.far).toBeGreaterThan(10000)
    expect(still.size).toEqual(ct.size)
  })

  it('takes the rim that a femur shares with flesh along', () => {
    const still = withoutFemurs(ct, labels, [joint])
    const rim: number[] = []
    eachVoxel(ct, (p, o) => {
      const off = Math.hypot(p[1], p[2])
      if (p[0] > HEAD + 4 && p[0] < 38 && off > 6 && off < 6.5 && p[2] < 5) rim.push(still.data[o])
    })
    expect(rim.length).toBeGreaterThan(50)
    expect(new Set(rim)).toEqual(new Set([50]))
  })

  it('is the CT itself where no femur is known', () => {
    const none = {
      ...labels,
      data: labels.data.map(x => (x === BONE_LABELS.leftFemur ? BONE_LABELS.fixed : x))
    }
    expect(withoutFemurs(ct, none, [joint])).toBe(ct)
    // All of the femur within its head.
    expect(withoutFemurs(ct, labels, [{ ...joint, radius: 60 }])).toBe(ct)
  })
})

describe('bones alone', () => {
  it('add to flesh what is beyond it, and flesh adds nothing', () => {
    const ct = turnedCt(p => (inSlab(p) ? 900 : p[0] < 0 ? 149 : 40))
    const bones = bonesAlone(ct)
    let wrong = 0
    eachVoxel(ct, (p, o) => {
      // μ of the difference from flesh: 1 + HU/1000 = (900 − 50)/1000.
      if (bones.data[o] !== (inSlab(p) ? -150 : -1000)) wrong++
    })
    expect(wrong).toBe(0)
    expect(ct.data.includes(149)).toBe(true)
  })

  it('are the CT itself where there are hardly any', () => {
    const flesh = turnedCt(p => (Math.hypot(...p) < 5 ? 400 : 40))
    expect(bonesAlone(flesh)).toBe(flesh)
  })
})
