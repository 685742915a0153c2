import type { Vec3 } from '../geometry/linear.js'
import type { Random } from '../random/random.js'

/** A smooth random field in space with about unit variance at its nodes; the same whatever grid it is sampled on. */
export type Noise = (x: number, y: number, z: number) => number

/**
 * Value noise: standard normal draws on a lattice of `cell` mm that covers [low, high], trilinear between them,
 * its edge repeated outside.
 */
export function createNoise(random: Random, cell: number, low: Vec3, high: Vec3): Noise {
  const nx = Math.ceil((high[0] - low[0]) / cell) + 2
  const ny = Math.ceil((high[1] - low[1]) / cell) + 2
  const nz = Math.ceil((high[2] - low[2]) / cell) + 2
  const lattice = new Float32Array(nx * ny * nz)
  for (let i = 0; i < lattice.length; i++) lattice[i] = random.normal()
  const s = 1 / cell
  const slice = nx * ny
  return (x, y, z) => {
    const px = Math.min(Math.max((x - low[0]) * s, 0), nx - 1.001)
    const py = Math.min(Math.max((y - low[1]) * s, 0), ny - 1.001)
    const pz = Math.min(Math.max((z - low[2]) * s, 0), nz - 1.001)
    const ix = px | 0
    const iy = py | 0
    const iz = pz | 0
    const fx = px - ix
    const fy = py - iy
    const o = iz * slice + iy * nx + ix
    const a = lattice[o] + fx * (lattice[o + 1] - lattice[o])
    const b = lattice[o + nx] + fx * (lattice[o + nx + 1] - lattice[o + nx])
    const p = o + slice
    const c = lattice[p] + fx * (lattice[p + 1] - lattice[p])
    const d = lattice[p + nx] + fx * (lattice[p + nx + 1] - lattice[p + nx])
    const e = a + fy * (b - a)
    return e + (pz - iz) * (c + fy * (d - c) - e)
  }
}

/**
 * A smooth random displacement of space: what a few modes of a shape model do not hold of people's variety.
 * @param sigmaMm standard deviation along each axis, mm, on average over space
 * @param cell distance over which it varies, mm
 * @param low corner of the box [low, high] that holds the shape, mm in its frame; outside, the edge is repeated
 * @returns where a point goes, mm in the same frame
 */
export function bendingField(
  random: Random,
  sigmaMm: number,
  cell: number,
  low: Vec3,
  high: Vec3
): (q: Vec3) => Vec3 {
  const fields = [0, 1, 2].map(() => createNoise(random, cell, low, high))
  // Linear between nodes, value noise has 2/3 of their variance along each axis, on average over the cell.
  const by = sigmaMm * (3 / 2) ** 1.5
  return q => [q[0] + by * fields[0](...q), q[1] + by * fields[1](...q), q[2] + by * fields[2](...q)]
}
