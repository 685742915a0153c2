import { FileFormatError, type Vec3 } from '@raypose/core'
import { readJson } from '@raypose/pipeline'

const HINT = 'It should be {"landmarks": [{"name": "…", "point": [x, y, z]}, …]} with LPS coordinates in mm.'

/**
 * Reads reference landmarks.
 * @throws FileNotFoundError; FileFormatError if the file holds something else
 */
export async function readTargets(path: string): Promise<Vec3[]> {
  const list = ((await readJson(path)) as { landmarks?: unknown } | null)?.landmarks
  if (!Array.isArray(list) || list.length === 0)
    throw new FileFormatError(`${path} holds no list of landmarks`, HINT)
  return list.map((entry: { point?: unknown } | null, i) => {
    const p = entry?.point
    if (!Array.isArray(p) || p.length !== 3 || !p.every(Number.isFinite))
      throw new FileFormatError(`${path}: landmark ${i + 1} has no point of three finite numbers`, HINT)
    return [p[0], p[1], p[2]] as const
  })
}
