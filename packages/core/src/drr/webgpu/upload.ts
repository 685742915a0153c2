import { VolumeError } from '../../errors.js'
import { assertVolume, type Volume } from '../../volume/volume.js'
import {
  type AttenuationOptions,
  attenuationOf,
  type LabelOptions,
  voxelAttenuation
} from '../attenuation.js'
import { halfBits } from './half.js'

/**
 * `'half'`: 2 bytes a voxel; every μ is rounded by at most 2⁻¹¹ of itself (whole Hounsfield units below 1048 not at all),
 * and so is every line integral. `'single'`: 4 bytes, and no such rounding.
 */
export type TexelPrecision = 'half' | 'single'

export interface GpuVolume {
  readonly texture: GPUTexture
  /** Attenuation of texel value 1, 1/mm. */
  readonly unit: number
  readonly bytes: number
}

/** TEXTURE_BINDING | COPY_DST; the named constants are globals that not every WebGPU outside browsers defines. */
const TEXTURE_USAGE = 0x04 | 0x02
const CHUNK_BYTES = 16 * 2 ** 20

/**
 * Converts a volume to attenuation and puts it into a 3D texture, some slices at a time.
 * @throws VolumeError for a volume that is not one, or too large for the device; ArgumentError for labels that do not fit
 */
export async function uploadVolume(
  device: GPUDevice,
  volume: Volume,
  options: AttenuationOptions & LabelOptions,
  precision: TexelPrecision
): Promise<GpuVolume> {
  assertVolume(volume)
  const { size } = volume
  const attenuation = voxelAttenuation(volume, options)
  const longest = device.limits.maxTextureDimension3D
  if (size.some(n => n > longest))
    throw new VolumeError(
      `The volume of ${size.join(' × ')} voxels is too large for this GPU, whose 3D textures have up to ${longest} a side`,
      'Crop the volume or resample it to coarser voxels, or use the wasm renderer.'
    )
  const bytesPerVoxel = precision === 'half' ? 2 : 4
  const bytes = size[0] * size[1] * size[2] * bytesPerVoxel

  device.pushErrorScope('out-of-memory')
  device.pushErrorScope('validation')
  const texture = device.createTexture({
    label: 'raypose volume',
    size: [...size],
    dimension: '3d',
    format: precision === 'half' ? 'r16float' : 'r32float',
    usage: TEXTURE_USAGE
  })
  const [invalid, full] = await Promise.all([device.popErrorScope(), device.popErrorScope()])
  const error = full ?? invalid
  if (error)
    throw new VolumeError(
      `The GPU has no room for the ${Math.ceil(bytes / 2 ** 20)} MiB of the volume: ${error.message}`,
      'Close other programs, crop the volume or resample it to coarser voxels, or use the wasm renderer.'
    )

  const unit = unitOf(attenuation.maximum, options)
  const slice = size[0] * size[1]
  const perChunk = Math.max(1, Math.floor(CHUNK_BYTES / (slice * bytesPerVoxel)))
  for (let z = 0; z < size[2]; z += perChunk) {
    const depth = Math.min(perChunk, size[2] - z)
    // Slices of more than a chunk go in rows.
    const rows = Math.max(1, Math.min(size[1], Math.floor(CHUNK_BYTES / (size[0] * bytesPerVoxel))))
    for (let y = 0; y < size[1]; y += depth > 1 ? size[1] : rows) {
      const height = depth > 1 ? size[1] : Math.min(rows, size[1] - y)
      const count = size[0] * height * depth
      const from = z * slice + y * size[0]
      const data = precision === 'half' ? new Uint16Array(count) : new Float32Array(count)
      const bits = precision === 'half' ? halfBits : (texel: number) => texel
      for (let n = 0; n < count; n++) data[n] = bits(attenuation.at(from + n) / unit)
      device.queue.writeTexture(
        { texture, origin: [0, y, z] },
        data,
        { bytesPerRow: size[0] * bytesPerVoxel, rowsPerImage: height },
        [size[0], height, depth]
      )
    }
  }
  return { texture, unit, bytes }
}

/**
 * Attenuation of texel value 1: that of a Hounsfield unit (or 1), divided by the power of two that takes the largest texel
 * to 1024…2048. Whole numbers of it up to 2048 stay exact, and nothing that matters is lost at the small end of half
 * precision.
 */
function unitOf(maximum: number, options: AttenuationOptions): number {
  const { convert = 'hu' } = options
  const step = convert === 'hu' ? attenuationOf(options)(0) / 1000 : 1
  const top = maximum / step
  return top > 0 ? step * 2 ** (Math.floor(Math.log2(top)) - 10) : 1
}
