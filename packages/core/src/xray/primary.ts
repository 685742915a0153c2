import { createReferenceRenderer } from '../drr/reference-renderer.js'
import { createWasmRenderer } from '../drr/wasm-renderer.js'
import { ArgumentError } from '../errors.js'
import type { Camera } from '../geometry/camera.js'
import type { Image } from '../image/image.js'
import { assertVolume, type Volume } from '../volume/volume.js'
import { type BodyMaterial, densityLayer, type Metal, massAttenuation } from './materials.js'
import type { Beam } from './spectrum.js'

/** How much of each material a ray to each pixel passes. */
export interface MaterialIntegrals {
  readonly width: number
  readonly height: number
  /** ∫ density along the ray, g/cm²; absent where there is none. */
  readonly layers: { readonly [M in BodyMaterial]?: Float32Array }
}

export interface RenderMaterialsOptions {
  readonly backend?: 'wasm' | 'reference'
  /** What voxels above 3,000 HU are (default titanium). */
  readonly metal?: Metal
}

const MATERIALS: readonly BodyMaterial[] = ['adipose', 'softTissue', 'bone', 'titanium', 'iron']

/**
 * Renders every material of a CT by itself, for each camera. One material is held in memory at a time.
 * @param volume HU
 * @throws VolumeError for a volume that is not one, GeometryError for a degenerate camera
 */
export function renderMaterials(
  volume: Volume,
  cameras: readonly Camera[],
  options: RenderMaterialsOptions = {}
): MaterialIntegrals[] {
  const { backend = 'wasm', metal = 'titanium' } = options
  assertVolume(volume)
  const results = cameras.map(({ detector: { size } }) => ({
    width: size[0],
    height: size[1],
    layers: {} as { [M in BodyMaterial]?: Float32Array }
  }))
  for (const material of MATERIALS) {
    const layer = densityLayer(volume, material, metal)
    if (!layer) continue
    const create = backend === 'wasm' ? createWasmRenderer : createReferenceRenderer
    const renderer = create(layer, { convert: 'linear' })
    cameras.forEach((camera, i) => {
      // The renderer integrates over mm, the tables are for cm.
      results[i].layers[material] = renderer.render(camera).data.map(x => x / 10)
    })
    renderer.dispose()
  }
  return results
}

/**
 * The share of the open beam's signal that gets through: Σ over energies of weight · exp(−Σ over materials of μ/ρ · ∫ρ).
 * With several energies soft ones are lost first, so that attenuation falls with thickness (beam hardening).
 */
export function primarySignal({ width, height, layers }: MaterialIntegrals, beam: Beam): Image {
  const data = new Float32Array(width * height)
  const present = MATERIALS.flatMap(material => {
    const integral = layers[material]
    if (!integral) return []
    if (integral.length !== data.length)
      throw new ArgumentError(
        `The ${material} layer has ${integral.length} values, not ${width} × ${height}`,
        'Render all materials for the same detector.'
      )
    return [{ integral, coefficients: beam.energies.map(e => massAttenuation(material, e)) }]
  })
  beam.weights.forEach((weight, k) => {
    if (weight === 0) return
    const exponent = new Float64Array(data.length)
    for (const { integral, coefficients } of present) {
      const c = coefficients[k]
      for (let i = 0; i < data.length; i++) exponent[i] += c * integral[i]
    }
    for (let i = 0; i < data.length; i++) data[i] += weight * Math.exp(-exponent[i])
  })
  return { width, height, data }
}
