import { ArgumentError } from '../errors.js'
import type { Volume } from '../volume/volume.js'
import { ATTENUATION, type AttenuationTable, type MaterialName } from './attenuation-tables.js'

/**
 * μ/ρ of a material by log-log interpolation in its table.
 * @returns cm²/g; at an absorption edge the value above it
 * @throws ArgumentError for an energy outside the table (15 … 150 keV is inside every one)
 */
export function massAttenuation(material: MaterialName, kev: number): number {
  const { energies, coefficients }: AttenuationTable = ATTENUATION[material]
  const last = energies.length - 1
  if (!(kev >= energies[0] && kev <= energies[last]))
    throw new ArgumentError(
      `${kev} keV is outside the attenuation table of ${material}`,
      `Give an energy from ${energies[0]} to ${energies[last]} keV.`
    )
  let i = last - 1
  while (energies[i] > kev) i--
  const f = Math.log(kev / energies[i]) / Math.log(energies[i + 1] / energies[i])
  return coefficients[i] * (coefficients[i + 1] / coefficients[i]) ** f
}

/** What a patient in a CT is taken to be made of; air weighs nothing. */
export type BodyMaterial = 'adipose' | 'softTissue' | 'bone' | 'titanium' | 'iron'
export type Metal = 'titanium' | 'iron'

/** Effective energy of the CT's beam, at which its Hounsfield units hold: about that of 120 kV after a patient. */
export const CT_KEV = 70
/** HU of fat, of muscle, of the densest soft tissue, and from where on a CT means metal (many are clipped there). */
const FAT = -100
const MUSCLE = 40
const DENSEST_SOFT = 100
const METAL = 3000

/**
 * Density of one material in a voxel, as a function of its HU. The densities of all materials together attenuate at
 * {@link CT_KEV} exactly as the HU say (below metal); at other energies each material follows its own table.
 *
 * Air to fat is adipose tissue of any density, fat to muscle a mixture, up to 100 HU soft tissue, from there soft tissue
 * with a rising share of cortical bone (cancellous bone is a mixture of both), above pure cortical bone a denser one, and
 * from 3,000 HU on the metal at its own density. Source of the approach: Unberath et al., "DeepDRR", MICCAI 2018, which
 * segments air, soft tissue and bone; here by thresholds and mixtures.
 * @returns g/cm³
 */
export function densityOf(material: BodyMaterial, metal: Metal): (hu: number) => number {
  const water = massAttenuation('water', CT_KEV)
  const per = (m: BodyMaterial) => water / massAttenuation(m, CT_KEV)
  const { density } = ATTENUATION[material]
  if (material === 'titanium' || material === 'iron')
    return hu => (hu >= METAL && material === metal ? density : 0)
  const perUnit = per(material)
  if (material === 'adipose')
    return hu => {
      if (hu <= FAT) return Math.max(0, 1 + hu / 1000) * perUnit
      return hu < MUSCLE ? ((MUSCLE - hu) / (MUSCLE - FAT)) * (1 + FAT / 1000) * perUnit : 0
    }
  const cortical = 1000 * (ATTENUATION.bone.density / per('bone') - 1)
  if (material === 'softTissue')
    return hu => {
      if (hu <= FAT || hu >= cortical) return 0
      if (hu < MUSCLE) return ((hu - FAT) / (MUSCLE - FAT)) * (1 + MUSCLE / 1000) * perUnit
      if (hu <= DENSEST_SOFT) return (1 + hu / 1000) * perUnit
      return ((cortical - hu) / (cortical - DENSEST_SOFT)) * (1 + DENSEST_SOFT / 1000) * perUnit
    }
  return hu => {
    if (hu <= DENSEST_SOFT || hu >= METAL) return 0
    return hu < cortical
      ? ((hu - DENSEST_SOFT) / (cortical - DENSEST_SOFT)) * density
      : (1 + hu / 1000) * perUnit
  }
}

/** The density of one material all over a CT, g/cm³; null where there is none of it. */
export function densityLayer(
  volume: Volume,
  material: BodyMaterial,
  metal: Metal
): Volume<Float32Array> | null {
  const density = densityOf(material, metal)
  const data = new Float32Array(volume.data.length)
  let any = false
  for (let i = 0; i < data.length; i++) {
    const d = density(volume.data[i])
    if (d > 0) {
      data[i] = d
      any = true
    }
  }
  return any ? { ...volume, data } : null
}
