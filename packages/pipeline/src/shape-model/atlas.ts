import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileFormatError, FileNotFoundError } from '@raypose/core'
import type { Points } from './align.js'

/** Surfaces of several patients in correspondence: vertex k of a bone is the same anatomical point in all. */
export interface SurfaceAtlas {
  readonly patients: readonly string[]
  /** Bone name → its faces and each patient's vertices (x, y, z, LPS mm). */
  readonly bones: ReadonlyMap<string, { faces: Uint32Array; vertices: Points[] }>
  /** Landmark vertices: each landmark is the mean of one or two vertices. */
  readonly landmarks: readonly { name: string; side: string; meanOf: { bone: string; vertex: number }[] }[]
}

interface AtlasJson {
  patients: string[]
  bones: Record<string, { vertices: string; vertices_shape: number[]; faces: string; faces_shape: number[] }>
  landmarks: { name: string; side: string; mean_of: { bone: string; vertex: number }[] }[]
}

/** Reads a folder with `atlas.json` and its vertex and face files. */
export async function readAtlas(folder: string): Promise<SurfaceAtlas> {
  const bytes = async (file: string) => {
    try {
      const b = await readFile(join(folder, file))
      return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength) as ArrayBuffer
    } catch (cause) {
      throw new FileNotFoundError(
        `The atlas file ${join(folder, file)} cannot be read`,
        'Give the folder that holds atlas.json.',
        { cause }
      )
    }
  }
  const json = JSON.parse(new TextDecoder().decode(await bytes('atlas.json'))) as AtlasJson
  const bones = new Map<string, { faces: Uint32Array; vertices: Points[] }>()
  for (const [name, b] of Object.entries(json.bones)) {
    const v = new Float32Array(await bytes(b.vertices))
    const [patients, count] = b.vertices_shape
    if (v.length !== patients * count * 3)
      throw new FileFormatError(
        `${b.vertices} holds ${v.length} numbers, not ${patients * count * 3}`,
        'The file is cut short; copy it again.'
      )
    bones.set(name, {
      faces: new Uint32Array(await bytes(b.faces)),
      vertices: Array.from({ length: patients }, (_, p) =>
        Float64Array.from(v.subarray(p * count * 3, (p + 1) * count * 3))
      )
    })
  }
  return {
    patients: json.patients,
    bones,
    landmarks: json.landmarks.map(l => ({ name: l.name, side: l.side, meanOf: l.mean_of }))
  }
}

/** Landmarks of one patient from given vertices, x y z each. */
export function atlasLandmarks(atlas: SurfaceAtlas, vertices: ReadonlyMap<string, Points>): Points {
  const out = new Float64Array(atlas.landmarks.length * 3)
  atlas.landmarks.forEach((l, i) => {
    for (const m of l.meanOf)
      for (let k = 0; k < 3; k++) out[i * 3 + k] += vertices.get(m.bone)![m.vertex * 3 + k] / l.meanOf.length
  })
  return out
}
