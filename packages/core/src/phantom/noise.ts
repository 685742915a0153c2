import type { Vec3 } from '../geometry/linear.js'
import type { Random } from '../random/random.js'

/** A smooth random field in space with about unit variance at its nodes; the same whatever grid it is sampled on. */
export type Noise = (x: number, y: number, z: number) => number

/**
 * Value noise: standard normal draws on a lattice of `cell` mm that covers [low, high], trilinear between them,
 * periodic outside.
 */
export function createNoise(random: Random, cell: number, low: Vec3, high: Vec3): Noise {
  const nx = Math.ceil((high[0] - low[0]) / cell) + 2
  const ny = Math.ceil((high[1] - low[1]) / cell) + 2
  const nz = Math.ceil((high[2] - low[2]) / cell) + 2
  const lattice = new Float32Array(nx * ny * nz)
  for (let i = 0; i < lattice.length; i++) lattice[i] = random.normal()
  const s = 1 / cell
  return (x, y, z) => {
    const px = (x - low[0]) * s
    const py = (y - low[1]) * s
    const pz = (z - low[2]) * s
    const ix = Math.floor(px)
    const iy = Math.floor(py)
    const iz = Math.floor(pz)
    const fx = px - ix
    const fy = py - iy
    const fz = pz - iz
    const x0 = wrap(ix, nx)
    const x1 = wrap(ix + 1, nx)
    const y0 = wrap(iy, ny) * nx
    const y1 = wrap(iy + 1, ny) * nx
    const z0 = wrap(iz, nz) * nx * ny
    const z1 = wrap(iz + 1, nz) * nx * ny
    const a = lattice[z0 + y0 + x0] + fx * (lattice[z0 + y0 + x1] - lattice[z0 + y0 + x0])
    const b = lattice[z0 + y1 + x0] + fx * (lattice[z0 + y1 + x1] - lattice[z0 + y1 + x0])
    const c = lattice[z1 + y0 + x0] + fx * (lattice[z1 + y0 + x1] - lattice[z1 + y0 + x0])
    const d = lattice[z1 + y1 + x0] + fx * (lattice[z1 + y1 + x1] - lattice[z1 + y1 + x0])
    const e = a + fy * (b - a)
    return e + fz * (c + fy * (d - c) - e)
  }
}

const wrap = (i: number, n: number): number => ((i % n) + n) % n
