import { describe, expect, it } from 'vitest'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { createPhantom, phantomLayers } from '../src/phantom/phantom.js'
import { pelvisLandmarkPrior, pelvisShape, shapeModes } from '../src/phantom/shape-model.js'
import {
  meshDistance,
  type SphereMesh,
  type WedgeDistance,
  wedgeDistance
} from '../src/phantom/sphere-mesh.js'
import { indexToLps, sampleTrilinear } from '../src/volume/volume.js'

const out: WedgeDistance = { w0: 0, w1: 0, w2: 0, distance: 0 }

describe('sphere mesh distance', () => {
  it('is that of a sphere for a lone sphere', () => {
    const s = Float64Array.from([1, 2, 3, 4])
    expect(wedgeDistance(s, 0, 0, 0, 1, 2, 13, out)).toBeCloseTo(6, 12)
    expect(wedgeDistance(s, 0, 0, 0, 1, 2, 3, out)).toBeCloseTo(-4, 12)
  })

  it('is that of a capsule for an edge of equal radii', () => {
    const s = Float64Array.from([0, 0, 0, 2, 10, 0, 0, 2])
    expect(wedgeDistance(s, 0, 1, 1, 5, 5, 0, out)).toBeCloseTo(3, 12)
    expect(wedgeDistance(s, 0, 1, 1, 14, 3, 0, out)).toBeCloseTo(3, 12)
    expect(wedgeDistance(s, 0, 1, 1, -3, 0, 4, out)).toBeCloseTo(3, 12)
  })

  it('interpolates radii over a triangle and falls to the nearest feature outside it', () => {
    const s = Float64Array.from([0, 0, 0, 1, 10, 0, 0, 2, 0, 10, 0, 3])
    expect(wedgeDistance(s, 0, 1, 2, 10 / 3, 10 / 3, 7, out)).toBeCloseTo(5, 9)
    expect([out.w0, out.w1, out.w2].every(w => Math.abs(w - 1 / 3) < 1e-9)).toBe(true)
    // Beyond the edge between spheres 1 and 2: its middle is nearest, radius 2.5.
    expect(wedgeDistance(s, 0, 1, 2, 5 + 4, 5 + 4, 0, out)).toBeCloseTo(Math.hypot(4, 4) - 2.5, 9)
  })
})

const bones = (b: readonly number[]): SphereMesh[] => {
  const p = pelvisShape(b)
  return [p.leftHip, p.rightHip, p.sacrum]
}

describe('shape model', () => {
  it('has its landmarks on the surface of its bones, for the mean and for extreme shapes', () => {
    const weights = [[], [2, -2], [-2, 0, 2], [0, 1.5, -1.5, 2]]
    for (const b of weights) {
      const mesh = bones(b)
      const off = pelvisShape(b).landmarks.map(l =>
        Math.abs(Math.min(...mesh.map(m => meshDistance(m, ...l))))
      )
      // Two landmarks of the symphysis are midpoints between the bones.
      expect(off.filter(d => d < 3).length).toBeGreaterThanOrEqual(19)
      expect(Math.max(...off)).toBeLessThan(9)
    }
  })

  it('has the sides where LPS has them: patient left at +x', () => {
    const { leftAcetabulum, rightAcetabulum, landmarks } = pelvisShape([])
    expect(leftAcetabulum.centre[0]).toBeGreaterThan(60)
    expect(rightAcetabulum.centre[0]).toBeLessThan(-60)
    // Ischial tuberosities 1 R and 2 L; ASIS 21 R and 22 L in front of and above them.
    expect(landmarks[1][0]).toBeGreaterThan(landmarks[0][0])
    expect(landmarks[21][1]).toBeLessThan(landmarks[1][1] - 40)
    expect(landmarks[21][2]).toBeGreaterThan(landmarks[1][2] + 80)
  })

  it('agrees in its landmark prior with the whole model', () => {
    const { mean, modes } = pelvisLandmarkPrior()
    const shape = pelvisShape([1.3, 0, -0.7])
    shape.landmarks.forEach((l, i) => {
      const q = mean[i].map((x, k) => x + 1.3 * modes[0][i][k] - 0.7 * modes[2][i][k]) as unknown as Vec3
      expect(distance(l, q)).toBeLessThan(1e-6)
    })
    expect(modes.length).toBe(shapeModes())
  })
})

describe('phantom', () => {
  const small = { spacing: 3, size: [110, 82, 96] as const }

  it('is the same for the same seed and another for another', () => {
    const a = createPhantom({ seed: 5, ...small })
    const b = createPhantom({ seed: 5, ...small })
    const c = createPhantom({ seed: 6, ...small })
    expect(b.ct.data).toEqual(a.ct.data)
    expect(b.landmarks).toEqual(a.landmarks)
    expect(c.landmarks).not.toEqual(a.landmarks)
  })

  it('is the same patient at another resolution', () => {
    const a = createPhantom({ seed: 5, ...small })
    const b = createPhantom({ seed: 5, spacing: 2, size: [165, 123, 144] })
    expect(b.landmarks).toEqual(a.landmarks)
    let difference = 0
    let n = 0
    for (let k = 10; k < 86; k += 5)
      for (let j = 10; j < 72; j += 5)
        for (let i = 10; i < 100; i += 5) {
          const p = indexToLps(a.ct, [i, j, k])
          difference += Math.abs(sampleTrilinear(b.ct, p) - a.ct.data[(k * 82 + j) * 110 + i])
          n++
        }
    // The same anatomy but for partial volume: different patients differ by over 150 HU a voxel.
    expect(difference / n).toBeLessThan(40)
  })

  it('has bone at its landmarks, cortex denser than its inside, fat and muscle, and air outside', () => {
    const { ct, landmarks } = createPhantom({ seed: 11, spacing: 1.5, size: [218, 164, 192], tableChance: 0 })
    const near = (p: Vec3) => {
      let best = -1000
      for (let dz = -6; dz <= 6; dz += 1.5)
        for (let dy = -6; dy <= 6; dy += 1.5)
          for (let dx = -6; dx <= 6; dx += 1.5)
            best = Math.max(best, sampleTrilinear(ct, [p[0] + dx, p[1] + dy, p[2] + dz], -1000))
      return best
    }
    const inside = landmarks.filter(p => sampleTrilinear(ct, p, -2000) > -2000)
    expect(inside.length).toBe(23)
    expect(inside.filter(p => near(p) > 250).length).toBeGreaterThanOrEqual(21)
    let air = 0
    let fat = 0
    let muscle = 0
    for (const v of ct.data) {
      if (v < -900) air++
      else if (v > -130 && v < -70) fat++
      else if (v > 0 && v < 90) muscle++
    }
    expect(Math.min(fat, muscle) / ct.data.length).toBeGreaterThan(0.02)
    expect(air).toBeGreaterThan(0)
  })

  it('cuts the scan short where asked, bone and soft tissue at the same height', () => {
    const whole = phantomLayers({ seed: 3, spacing: 3 })
    const cut = phantomLayers({ seed: 3, spacing: 3, cutChance: 1 })
    expect(cut.landmarks).toEqual(whole.landmarks)
    // Slices that hold anything, as LPS z of the first and the last.
    const range = (v: typeof cut.bone, empty: number) => {
      const slice = v.size[0] * v.size[1]
      const filled = Array.from({ length: v.size[2] }, (_, k) =>
        v.data.subarray(k * slice, (k + 1) * slice).some(x => x > empty)
      )
      const z = (k: number) => v.origin[2] + k * v.spacing[2]
      return [z(filled.indexOf(true)), z(filled.lastIndexOf(true))]
    }
    const [boneLow, boneHigh] = range(cut.bone, 0)
    const [softLow, softHigh] = range(cut.soft, -1000)
    const [wholeLow, wholeHigh] = range(whole.soft, -1000)
    expect(softHigh - softLow).toBeLessThan(wholeHigh - wholeLow)
    expect(boneLow).toBeGreaterThanOrEqual(softLow - 3)
    expect(boneHigh).toBeLessThanOrEqual(softHigh + 3)
  })

  it('takes the bones along with the landmarks when its shape is warped, and leaves the rest of the patient as it was', () => {
    const plain = phantomLayers({ seed: 8, spacing: 3 })
    const warped = phantomLayers({ seed: 8, spacing: 3, bendMm: 4 })
    const moved = warped.landmarks.map((p, i) => distance(p, plain.landmarks[i]))
    expect(Math.max(...moved)).toBeGreaterThan(2)
    expect(Math.max(...moved)).toBeLessThan(25)
    for (const { bone, landmarks } of [plain, warped]) {
      const onBone = landmarks.filter(p => {
        for (let dz = -6; dz <= 6; dz += 3)
          for (let dy = -6; dy <= 6; dy += 3)
            for (let dx = -6; dx <= 6; dx += 3)
              if (sampleTrilinear(bone, [p[0] + dx, p[1] + dy, p[2] + dz], 0) > 150) return true
        return false
      })
      expect(onBone.length).toBeGreaterThanOrEqual(21)
    }
  })

  it('has metal where hardware is asked for, and only there', () => {
    const dense = (hardwareChance: number) =>
      phantomLayers({ seed: 4, spacing: 3, hardwareChance }).bone.data.filter(x => x > 2500).length
    expect(dense(0)).toBe(0)
    // At least a screw of 25 mm and 1.6 mm radius: some voxels of 27 mm³.
    expect(dense(1)).toBeGreaterThan(5)
  })
})
