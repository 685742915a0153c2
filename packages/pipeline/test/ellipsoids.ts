import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '@raypose/core'
import type { SurfaceAtlas } from '../src/shape-model/atlas.js'

/** A closed ellipsoid about a centre: rings and two poles. */
export function ellipsoid(
  centre: readonly number[],
  half: readonly number[],
  rings = 24
): { vertices: Float64Array; faces: Uint32Array } {
  const around = 2 * rings
  const v: number[] = []
  const faces: number[] = []
  const push = (t: number, p: number) =>
    v.push(
      centre[0] + half[0] * Math.sin(t) * Math.cos(p),
      centre[1] + half[1] * Math.sin(t) * Math.sin(p),
      centre[2] + half[2] * Math.cos(t)
    )
  push(0, 0)
  for (let i = 1; i < rings; i++)
    for (let j = 0; j < around; j++) push((Math.PI * i) / rings, (2 * Math.PI * j) / around)
  push(Math.PI, 0)
  const last = v.length / 3 - 1
  for (let j = 0; j < around; j++) {
    const next = (j + 1) % around
    faces.push(0, 1 + j, 1 + next)
    for (let i = 0; i < rings - 2; i++) {
      const [a, b] = [1 + i * around, 1 + (i + 1) * around]
      faces.push(a + j, b + j, b + next, a + j, b + next, a + next)
    }
    faces.push(last, last - around + next, last - around + j)
  }
  return { vertices: Float64Array.from(v), faces: Uint32Array.from(faces) }
}

/** An anatomy that is no pelvis: a left and a right egg and a long one between, of patients who differ in size. */
export function eggAtlas(patients = 6): SurfaceAtlas {
  const random = createRandom(5)
  const bones = new Map<string, { faces: Uint32Array; vertices: Float64Array[] }>()
  const add = (name: string, e: ReturnType<typeof ellipsoid>) => {
    const bone = bones.get(name) ?? { faces: e.faces, vertices: [] }
    bone.vertices.push(e.vertices)
    bones.set(name, bone)
  }
  for (let p = 0; p < patients; p++) {
    const [wide, deep, high] = [0, 1, 2].map(() => 1 + 0.07 * Math.max(-1.5, Math.min(1.5, random.normal())))
    add('left egg', ellipsoid([34 * wide, 0, 0], [18 * wide, 14 * deep, 24 * high]))
    add('right egg', ellipsoid([-34 * wide, 0, 0], [18 * wide, 14 * deep, 24 * high]))
    add('keel', ellipsoid([0, 20 * deep, 6 * high], [13 * wide, 9 * deep, 30 * high]))
  }
  const around = 48
  const landmark = (name: string, side: string, bone: string, vertex: number) => ({
    name,
    side,
    meanOf: [{ bone, vertex }]
  })
  const last = ellipsoid([0, 0, 0], [1, 1, 1]).vertices.length / 3 - 1
  return {
    patients: Array.from({ length: patients }, (_, p) => `P${p}`),
    bones,
    landmarks: [
      landmark('top', 'L', 'left egg', 0),
      landmark('top', 'R', 'right egg', 0),
      landmark('bottom', 'L', 'left egg', last),
      landmark('bottom', 'R', 'right egg', last),
      // The side that looks away from the middle: p = 0 on the left, p = π on the right, in the middle ring.
      landmark('side', 'L', 'left egg', 1 + 11 * around),
      landmark('side', 'R', 'right egg', 1 + 11 * around + around / 2),
      landmark('keel top', 'M', 'keel', 0),
      landmark('keel bottom', 'M', 'keel', last)
    ]
  }
}

/** Writes an atlas in the format that `readAtlas` reads. */
export async function writeAtlas(folder: string, atlas: SurfaceAtlas): Promise<void> {
  await mkdir(folder, { recursive: true })
  const bones: Record<string, object> = {}
  for (const [name, { faces, vertices }] of atlas.bones) {
    const file = name.replace(' ', '-')
    const count = vertices[0].length / 3
    await writeFile(join(folder, `${file}.v`), Float32Array.from(vertices.flatMap(v => [...v])))
    await writeFile(join(folder, `${file}.f`), faces)
    bones[name] = {
      vertices: `${file}.v`,
      vertices_shape: [vertices.length, count, 3],
      faces: `${file}.f`,
      faces_shape: [faces.length / 3, 3]
    }
  }
  await writeFile(
    join(folder, 'atlas.json'),
    JSON.stringify({
      patients: atlas.patients,
      bones,
      landmarks: atlas.landmarks.map(l => ({ name: l.name, side: l.side, mean_of: l.meanOf })),
      licence: 'none: it is made up'
    })
  )
}
