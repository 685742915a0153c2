import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Camera, Grid, RenderQuality, Volume } from '@raypose/core'

/** What the process that is measured is told. */
export interface BatchMemoryTask {
  readonly grid: Grid
  /** File of the voxels, int16. */
  readonly voxels: string
  readonly quality: RenderQuality
  readonly workers: number
  readonly cameras: readonly Camera[]
}

/**
 * Peak memory of rendering a batch, in a process of its own because a process's peak never falls: voxels, prepared
 * volume, workers and images, beyond what the program itself takes before it has read the volume.
 * @returns in sizes of the int16 volume
 */
export async function batchMemoryFactor(
  volume: Volume<Int16Array>,
  quality: RenderQuality,
  workers: number,
  cameras: readonly Camera[],
  signal?: AbortSignal
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'raypose-bench-'))
  try {
    const { data, size, spacing, origin, direction } = volume
    const voxels = join(folder, 'voxels')
    await writeFile(voxels, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    const task: BatchMemoryTask = {
      grid: { size, spacing, origin, direction },
      voxels,
      quality,
      workers,
      cameras
    }
    const file = join(folder, 'task.json')
    await writeFile(file, JSON.stringify(task))
    const script = new URL('./batch-memory-process.js', import.meta.url)
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(script), file], { signal })
    return Number(stdout) / data.byteLength
  } finally {
    await rm(folder, { recursive: true })
  }
}
