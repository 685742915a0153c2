import { ArgumentError, VolumeError } from '@raypose/core'
import type { SurfaceAtlas } from '../shape-model/atlas.js'

/** More open edges than this share, and what the surface encloses is not well defined. */
const MOST_OPEN = 0.02
/** A part of less volume than this encloses nothing worth filling, mm³. */
const LEAST_VOLUME = 100

/**
 * Checks that an atlas can make a population: some patients, bones and landmarks; the same vertices in every patient; faces and landmarks
 * that name vertices there are; closed surfaces (remeshed ones may lack a triangle here and there), all turned one way.
 * @throws ArgumentError for what is absent or inconsistent; VolumeError for surfaces that enclose nothing
 */
export function checkAtlas(atlas: SurfaceAtlas): void {
  const fail = (what: string, hint: string): never => {
    throw new ArgumentError(`The atlas cannot be used: ${what}`, hint)
  }
  const hint = 'docs/population.md describes atlas.json and its files.'
  if (atlas.patients.length === 0) fail('it has no patients', hint)
  if (new Set(atlas.patients).size < atlas.patients.length) fail('two patients have the same name', hint)
  if (atlas.bones.size === 0) fail('it has no bones', hint)
  if (atlas.landmarks.length === 0) fail('it has no landmarks', hint)
  for (const [name, { faces, vertices }] of atlas.bones) {
    if (vertices.length !== atlas.patients.length)
      fail(`${name} has vertices of ${vertices.length} patients, not ${atlas.patients.length}`, hint)
    const count = vertices[0].length / 3
    if (count < 4 || faces.length < 12) fail(`${name} has hardly any vertices or faces`, hint)
    if (vertices.some(v => v.length !== count * 3))
      fail(
        `${name} has another number of vertices in some patients`,
        'Bring the surfaces into correspondence.'
      )
    vertices.forEach((v, p) => {
      if (!v.every(Number.isFinite))
        fail(`${name} of ${atlas.patients[p]} has a vertex that is not a number`, 'Export the surface again.')
    })
    if (faces.length % 3 !== 0 || faces.some(i => i >= count))
      fail(`${name} has a face with a vertex that it does not have (it has ${count})`, hint)
    const open = openEdges(faces)
    if (open > MOST_OPEN)
      throw new VolumeError(
        `The surface of ${name} is not closed: ${(open * 100).toFixed(1)} % of its edges belong to one face only`,
        'Close its holes (any mesh program has that), with the same faces for every patient.'
      )
    vertices.forEach((v, p) => {
      const volume = Math.abs(enclosedVolume(v, faces))
      if (volume < LEAST_VOLUME)
        throw new VolumeError(
          `The surface of ${name} of ${atlas.patients[p]} encloses ${volume.toFixed(1)} mm³`,
          'Check its unit (mm) and that its faces are all turned the same way.'
        )
    })
  }
  for (const l of atlas.landmarks) {
    if (l.meanOf.length === 0) fail(`landmark ${l.name} is the mean of no vertex`, hint)
    for (const m of l.meanOf) {
      const bone = atlas.bones.get(m.bone)
      if (!bone) fail(`landmark ${l.name} lies on ${m.bone}, which is no bone of it`, hint)
      else if (!(Number.isInteger(m.vertex) && m.vertex >= 0 && m.vertex * 3 < bone.vertices[0].length))
        fail(`landmark ${l.name} is vertex ${m.vertex} of ${m.bone}, which has none such`, hint)
    }
  }
}

/** Share of edges that belong to one face only. */
export function openEdges(faces: Uint32Array): number {
  const seen = new Map<number, number>()
  for (let f = 0; f < faces.length; f += 3)
    for (let e = 0; e < 3; e++) {
      const a = faces[f + e]
      const b = faces[f + ((e + 1) % 3)]
      const key = Math.min(a, b) * 2 ** 26 + Math.max(a, b)
      seen.set(key, (seen.get(key) ?? 0) + 1)
    }
  let open = 0
  for (const n of seen.values()) if (n === 1) open++
  return open / seen.size
}

/** Volume inside a closed surface, mm³; negative where its faces turn inward. */
export function enclosedVolume(v: Float64Array, faces: Uint32Array): number {
  let six = 0
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [faces[f] * 3, faces[f + 1] * 3, faces[f + 2] * 3]
    six +=
      v[a] * (v[b + 1] * v[c + 2] - v[b + 2] * v[c + 1]) +
      v[a + 1] * (v[b + 2] * v[c] - v[b] * v[c + 2]) +
      v[a + 2] * (v[b] * v[c + 1] - v[b + 1] * v[c])
  }
  return six / 6
}
