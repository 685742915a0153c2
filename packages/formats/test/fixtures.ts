import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createRandom,
  type Grid,
  indexToLps,
  type Mat3,
  sampleTrilinear,
  type Vec3,
  type Volume
} from '@raypose/core'
import { expect } from 'vitest'
import type { NamedBytes } from '../src/index.js'

/** A small CT without any symmetry, of fractional spacing, off-centre. */
export function asymmetricVolume(
  direction: Mat3 = [1, 0, 0, 0, 1, 0, 0, 0, 1],
  size: Vec3 = [7, 5, 9]
): Volume<Int16Array> {
  const random = createRandom(20190713)
  const data = new Int16Array(size[0] * size[1] * size[2])
  for (let i = 0; i < data.length; i++) data[i] = random.integer(3000) - 1000
  return { size, spacing: [0.7, 1.3, 2.25], origin: [-31.25, 17.5, -402.125], direction, data }
}

/** All 48 ways to lay axes along ±L, ±P, ±S. */
export function axisAlignedDirections(): Mat3[] {
  const out: Mat3[] = []
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0]
  ])
    for (let signs = 0; signs < 8; signs++) {
      const m = new Array<number>(9).fill(0)
      order.forEach((axis, column) => {
        m[3 * axis + column] = signs & (1 << column) ? -1 : 1
      })
      out.push(m)
    }
  return out
}

/** LPS points inside a grid: every corner voxel pulled in a little, and random ones. */
export function probes(grid: Grid, count = 40): Vec3[] {
  const random = createRandom(7)
  const inside = (n: number) => random.uniform(0.01, n - 1.01)
  return Array.from({ length: count }, () =>
    indexToLps(grid, [inside(grid.size[0]), inside(grid.size[1]), inside(grid.size[2])])
  )
}

/** Largest difference in HU between two volumes at the same LPS points. */
export function largestDifference(a: Volume, b: Volume, points: readonly Vec3[]): number {
  return Math.max(
    ...points.map(p => Math.abs(sampleTrilinear(a, p, Number.NaN) - sampleTrilinear(b, p, Number.NaN)))
  )
}

export const hasCommand = (name: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${name}`]).status === 0

/** Runs a command on a file's bytes: `args` gets the input and output paths. */
export function convert(
  bytes: Uint8Array,
  command: string,
  args: (input: string, output: string) => string[]
): Uint8Array {
  return inTemporaryFolder(folder => {
    const input = join(folder, 'in.dcm')
    const output = join(folder, 'out.dcm')
    writeFileSync(input, bytes)
    execFileSync(command, args(input, output), { stdio: 'pipe' })
    return fileBytes(output)
  })
}

export function inTemporaryFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'raypose-formats-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const fileBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(path))

/** Files in an order that no reader may rely on. */
export const shuffled = (files: readonly NamedBytes[]): NamedBytes[] => createRandom(3).shuffle([...files])

/** What a promise or function throws, or a failure if it does not. */
export async function thrown(work: () => unknown): Promise<Error & { hint?: string }> {
  try {
    await work()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** Expects an error of a kind, with what it says and the way out that it names. */
export async function expectError(
  work: () => unknown,
  kind: abstract new (...args: never[]) => Error,
  message: RegExp,
  hint: RegExp
): Promise<void> {
  const error = await thrown(work)
  expect(error).toBeInstanceOf(kind)
  expect(error.message).toMatch(message)
  expect(error.hint).toMatch(hint)
}
