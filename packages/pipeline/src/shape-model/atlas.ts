import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileFormatError, FileNotFoundError } from '@raypose/core'
import { z } from 'zod'
import type { Points } from './align.js'

/** Surfaces of several patients in correspondence: vertex k of a bone is the same anatomical point in all. */
export interface SurfaceAtlas {
  readonly patients: readonly string[]
  /** Bone name → its faces and each patient's vertices (x, y, z, LPS mm). */
  readonly bones: ReadonlyMap<string, { faces: Uint32Array; vertices: Points[] }>
  /** Landmark vertices: each landmark is the mean of one or two vertices. */
  readonly landmarks: readonly { name: string; side: string; meanOf: { bone: string; vertex: number }[] }[]
}

const count = z.number().int().nonnegative()
const atlasSchema = z.object({
  patients: z.array(z.string()),
  bones: z.record(
    z.string(),
    z.object({
      vertices: z.string(),
      vertices_shape: z.tuple([count, count, z.literal(3)]),
      faces: z.string(),
      faces_shape: z.tuple([count, z.literal(3)])
    })
  ),
  landmarks: z.array(
    z.object({
      name: z.string(),
      side: z.string().default(''),
      mean_of: z.array(z.object({ bone: z.string(), vertex: count }))
    })
  )
})

/**
 * Reads a folder with `atlas.json` and its vertex and face files (docs/population.md).
 * @throws FileNotFoundError; FileFormatError for an atlas.json that is none, or files of another length than it says
 */
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
  const numbers = async (file: string, expected: number) => {
    const b = await bytes(file)
    if (b.byteLength !== expected * 4)
      throw new FileFormatError(
        `${join(folder, file)} holds ${b.byteLength / 4} numbers, not ${expected}`,
        'The file is cut short, or atlas.json is that of another atlas; copy both again.'
      )
    return b
  }
  const json = parseAtlasJson(join(folder, 'atlas.json'), new TextDecoder().decode(await bytes('atlas.json')))
  const bones = new Map<string, { faces: Uint32Array; vertices: Points[] }>()
  for (const [name, b] of Object.entries(json.bones)) {
    const [patients, vertices] = b.vertices_shape
    const v = new Float32Array(await numbers(b.vertices, patients * vertices * 3))
    bones.set(name, {
      faces: new Uint32Array(await numbers(b.faces, b.faces_shape[0] * 3)),
      vertices: Array.from({ length: patients }, (_, p) =>
        Float64Array.from(v.subarray(p * vertices * 3, (p + 1) * vertices * 3))
      )
    })
  }
  return {
    patients: json.patients,
    bones,
    landmarks: json.landmarks.map(l => ({ name: l.name, side: l.side, meanOf: l.mean_of }))
  }
}

function parseAtlasJson(file: string, text: string): z.infer<typeof atlasSchema> {
  const hint = 'docs/population.md describes the format.'
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new FileFormatError(`${file} is not JSON`, hint, { cause })
  }
  const parsed = atlasSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new FileFormatError(`${file} is no atlas: ${issue.path.join('.') || 'it'}: ${issue.message}`, hint)
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
