import { beforeAll, describe, expect, it } from 'vitest'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rigid } from '../src/geometry/rigid.js'
import { DEGREE, rotationAngle } from '../src/geometry/rotation.js'
import { distanceTransform } from '../src/hips/distance-transform.js'
import { BONE_LABELS, type BoneLabels } from '../src/hips/femur-labels.js'
import { drawFemurTurns, type FemurTurns, femurRotation } from '../src/hips/femur-turn.js'
import { expectedSockets, findHipJoints } from '../src/hips/hip-joints.js'
import { type MovableFemurs, movableFemurs } from '../src/hips/move-femurs.js'
import { type Bone, drawBones } from '../src/phantom/bones.js'
import { createPhantom, type Phantom } from '../src/phantom/phantom.js'
import type { PelvisShape } from '../src/phantom/shape-model.js'
import { createRandom } from '../src/random/random.js'
import { sampleTrilinear, type Volume } from '../src/volume/volume.js'

const SEED = 21
/** Between bones nearer than this to each other, mm, flesh has nowhere to go; so have joints. */
const GAP = 25
const still = { flexion: 0, abduction: 0, rotation: 0 }

let phantom: Phantom
let truth: { pelvis: PelvisShape; bones: Bone[] }
let movable: MovableFemurs

beforeAll(() => {
  phantom = createPhantom({ seed: SEED, sex: 'female', spacing: 1.6, size: [210, 130, 180] })
  // The same draws as the phantom's own.
  truth = drawBones(createRandom(SEED), 'female', { modeLimit: 2, completeness: 1 })
  movable = movableFemurs(phantom.ct, phantom.landmarks)
})

const socketOf = (side: 'left' | 'right') =>
  side === 'left' ? truth.pelvis.leftAcetabulum : truth.pelvis.rightAcetabulum
/** Balls of the sphere mesh that the phantom's femur is made of: x, y, z, radius each. */
const femurSpheres = (side: 'left' | 'right') => {
  const { spheres } = (truth.bones.find(b => b.name === `${side} femur`) as Bone).mesh
  return Array.from({ length: spheres.length / 4 }, (_, i) => [...spheres.subarray(4 * i, 4 * i + 4)])
}

const labelAt = (labels: BoneLabels, p: readonly number[]): number | null => {
  const [i, j, k] = [0, 1, 2].map(a => Math.round((p[a] - labels.origin[a]) / labels.spacing))
  const [ni, nj, nk] = labels.size
  return i >= 0 && j >= 0 && k >= 0 && i < ni && j < nj && k < nk ? labels.data[(k * nj + j) * ni + i] : null
}

describe('the distance transform', () => {
  it('is the distance to the nearest marked point', () => {
    const size: Vec3 = [9, 7, 8]
    const random = createRandom(3)
    const marked = Uint8Array.from({ length: 9 * 7 * 8 }, () => (random.chance(0.02) ? 1 : 0))
    const at = (o: number): Vec3 => [o % 9, Math.floor(o / 9) % 7, Math.floor(o / 63)]
    const found = distanceTransform(marked, size)
    found.forEach((d, o) => {
      const all = [...marked].flatMap((m, p) => (m ? [distance(at(o), at(p))] : []))
      expect(d).toBeCloseTo(Math.min(...all), 5)
    })
  })

  it('is far everywhere where nothing is marked', () => {
    expect(Math.min(...distanceTransform(new Uint8Array(8), [2, 2, 2]))).toBeGreaterThan(1e5)
  })
})

describe('the hips of a CT', () => {
  it.each(['left', 'right'] as const)(
    'are the sockets and heads that the phantom was made with: %s',
    side => {
      const joint = movable.joints.find(j => j.side === side)
      const [x, y, z, radius] = femurSpheres(side)[0]
      expect(distance(joint?.centre as Vec3, [x, y, z])).toBeLessThan(2.5)
      expect(Math.abs((joint?.radius as number) - radius)).toBeLessThan(2.5)
      // The neck ends at the ball between the trochanters.
      const [a, b, c] = femurSpheres(side)[2]
      const towards = [a - x, b - y, c - z].map(d => d / Math.hypot(a - x, b - y, c - z))
      const along = joint?.neck.reduce((s, n, k) => s + n * towards[k], 0) as number
      expect(along).toBeGreaterThan(Math.cos(25 * DEGREE))
    }
  )

  it('are not found in a CT that ends above them, nor without landmarks', () => {
    const { ct, landmarks } = phantom
    const from = Math.ceil((Math.max(...movable.joints.map(j => j.centre[2])) - ct.origin[2]) / ct.spacing[2])
    const slice = ct.size[0] * ct.size[1]
    const upper: Volume<Int16Array> = {
      ...ct,
      size: [ct.size[0], ct.size[1], ct.size[2] - from],
      origin: [ct.origin[0], ct.origin[1], ct.origin[2] + from * ct.spacing[2]],
      data: ct.data.slice(from * slice)
    }
    expect(findHipJoints(upper, landmarks)).toEqual([])
    expect(expectedSockets(landmarks.map(() => null))).toBeNull()
  })

  it('have femurs that are the phantom’s femurs, and no pelvis', () => {
    const { labels } = movable
    for (const side of ['left', 'right'] as const) {
      const label = side === 'left' ? BONE_LABELS.leftFemur : BONE_LABELS.rightFemur
      const centres = femurSpheres(side).map(s => labelAt(labels, s))
      expect(centres.slice(0, 5)).toEqual(new Array(5).fill(label))
      const hip = (side === 'left' ? truth.pelvis.leftHip : truth.pelvis.rightHip).spheres
      const { centre, radius } = socketOf(side)
      for (let i = 0; i < hip.length; i += 4) {
        if (distance([hip[i], hip[i + 1], hip[i + 2]], centre) < radius) continue
        expect(labelAt(labels, [hip[i], hip[i + 1], hip[i + 2]])).not.toBe(label)
      }
    }
  })
})

describe('femurs that move', () => {
  const turns: FemurTurns = {
    left: { flexion: 15 * DEGREE, abduction: 15 * DEGREE, rotation: -15 * DEGREE },
    right: { flexion: -12 * DEGREE, abduction: 8 * DEGREE, rotation: 15 * DEGREE }
  }

  it('turn as said: knee forward, knee outward, toes outward', () => {
    const knee: Vec3 = [0, 0, -1]
    const toes: Vec3 = [0, -1, -1]
    const turned = (turn: Partial<FemurTurns['left']>, side: 'left' | 'right', p: Vec3) =>
      applyRigid(rigid(femurRotation({ ...still, ...turn }, side), [0, 0, 0]), p)
    for (const [side, outward] of [
      ['left', 1],
      ['right', -1]
    ] as const) {
      expect(turned({ flexion: 0.2 }, side, knee)[1]).toBeCloseTo(-Math.sin(0.2), 12)
      expect(turned({ abduction: 0.2 }, side, knee)[0]).toBeCloseTo(outward * Math.sin(0.2), 12)
      expect(turned({ rotation: 0.2 }, side, toes)[0]).toBeCloseTo(outward * Math.sin(0.2), 12)
    }
  })

  it('are drawn within the limit, each angle by itself, the whole angle about the limit', () => {
    const random = createRandom(8)
    const drawn = Array.from({ length: 400 }, () => drawFemurTurns(random, 15).left)
    const angles = drawn.flatMap(t => [t.flexion, t.abduction, t.rotation])
    expect(Math.max(...angles.map(Math.abs))).toBeLessThanOrEqual(15 * DEGREE)
    const squares = drawn.map(t => rotationAngle(femurRotation(t, 'left')) ** 2)
    const rms = Math.sqrt(squares.reduce((s, x) => s + x, 0) / drawn.length)
    expect(rms / DEGREE).toBeGreaterThan(13.5)
    expect(rms / DEGREE).toBeLessThan(16.5)
  })

  it('leave the CT as it is where they do not turn', () => {
    const same = movable.move({ left: still, right: still }).data
    expect(same.every((x, i) => x === phantom.ct.data[i])).toBe(true)
  })

  it('turn rigidly about their heads, and the pelvis stays, voxel for voxel', () => {
    const moved = movable.move(turns)
    expect([moved.size, moved.origin, moved.spacing]).toEqual([
      phantom.ct.size,
      phantom.ct.origin,
      phantom.ct.spacing
    ])
    for (const { side, centre } of movable.joints) {
      const r = femurRotation(turns[side], side)
      const turn = rigid(
        r,
        centre.map(
          (c, k) => c - (r[3 * k] * centre[0] + r[3 * k + 1] * centre[1] + r[3 * k + 2] * centre[2])
        ) as unknown as Vec3
      )
      // On the surface of trochanters and shaft, where HU change most.
      const points = femurSpheres(side)
        .slice(3, 6)
        .flatMap(([x, y, z, radius]): Vec3[] => [
          [x + radius, y, z],
          [x - radius, y, z],
          [x, y + radius, z],
          [x, y - radius, z]
        ])
        .filter(p => p[2] > phantom.ct.origin[2] + 30 && applyRigid(turn, p)[2] > phantom.ct.origin[2] + 10)
      const off = (to: (p: Vec3) => Vec3) =>
        points.reduce(
          (s, p) => s + Math.abs(sampleTrilinear(moved, to(p)) - sampleTrilinear(phantom.ct, p)),
          0
        ) / points.length
      expect(points.length).toBeGreaterThan(10)
      expect(off(p => applyRigid(turn, p))).toBeLessThan(off(p => p) / 4)
    }
    const { labels } = movable
    let stayed = 0
    for (const { spheres } of [truth.pelvis.leftHip, truth.pelvis.rightHip, truth.pelvis.sacrum])
      for (let i = 0; i < spheres.length; i += 4) {
        const p: Vec3 = [spheres[i], spheres[i + 1], spheres[i + 2]]
        const joint = movable.joints.some(h => distance(p, h.centre) < h.radius + 12)
        if (joint || labelAt(labels, p) !== BONE_LABELS.fixed) continue
        stayed++
        expect(sampleTrilinear(moved, p)).toBe(sampleTrilinear(phantom.ct, p))
      }
    expect(stayed).toBeGreaterThan(50)
  })

  it('fold nothing but where flesh is caught between bones: the field keeps its orientation', () => {
    // Seventeen degrees as a whole: more than the √(mean square) of what is drawn.
    const turn = { flexion: 10 * DEGREE, abduction: 10 * DEGREE, rotation: -10 * DEGREE }
    const field = movable.field({ left: turn, right: turn })
    const { size, spacing } = movable.labels
    const [ni, nj, nk] = size
    const steps = [3, 3 * ni, 3 * ni * nj]
    const farFrom = (is: (label: number) => boolean) =>
      distanceTransform(
        movable.labels.data.map(x => (is(x) ? 1 : 0)),
        size
      ).map(d => d * spacing)
    const fromFixed = farFrom(x => x === BONE_LABELS.fixed)
    const fromFemurs = farFrom(x => x > BONE_LABELS.fixed)
    let cells = 0
    for (let k = 0; k < nk - 1; k += 2)
      for (let j = 0; j < nj - 1; j += 2)
        for (let i = 0; i < ni - 1; i += 2) {
          const o = 3 * ((k * nj + j) * ni + i)
          const [a, b, c] = steps.map((s, axis) =>
            [0, 1, 2].map(r => (axis === r ? 1 : 0) + (field[o + s + r] - field[o + r]) / spacing)
          )
          const det =
            a[0] * (b[1] * c[2] - b[2] * c[1]) -
            a[1] * (b[0] * c[2] - b[2] * c[0]) +
            a[2] * (b[0] * c[1] - b[1] * c[0])
          cells++
          if (fromFixed[o / 3] > GAP || fromFemurs[o / 3] > GAP) expect(det).toBeGreaterThan(0)
        }
    expect(cells).toBeGreaterThan(1e5)
  })
})
