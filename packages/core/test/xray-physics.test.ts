import { describe, expect, it } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { ArgumentError } from '../src/errors.js'
import { type Camera, centredDetector } from '../src/geometry/camera.js'
import { poseFromView } from '../src/geometry/view.js'
import { ATTENUATION } from '../src/xray/attenuation-tables.js'
import { densityOf, massAttenuation } from '../src/xray/materials.js'
import { primarySignal, renderMaterials } from '../src/xray/primary.js'
import {
  meanEnergy,
  monoenergeticBeam,
  type Spectrum,
  tungstenBeam,
  tungstenSpectrum
} from '../src/xray/spectrum.js'
import { anatomicalVolume, relativeRms, sampledVolume } from './drr-volumes.js'

/** μ_en/ρ of air, cm²/g: NISTIR 5632, table 4. */
const AIR_ENERGIES = [10, 15, 20, 30, 40, 50, 60, 80, 100, 150]
const AIR = [4.742, 1.334, 0.5389, 0.1537, 0.06833, 0.04098, 0.03041, 0.02407, 0.02325, 0.02496]

function airAbsorption(kev: number): number {
  let i = AIR.length - 2
  while (AIR_ENERGIES[i] > kev) i--
  const f = Math.log(kev / AIR_ENERGIES[i]) / Math.log(AIR_ENERGIES[i + 1] / AIR_ENERGIES[i])
  return AIR[i] * (AIR[i + 1] / AIR[i]) ** f
}

/** First and second half-value layers in mm of aluminium, of air kerma. */
function halfValueLayers({ energies, weights }: Spectrum): [number, number] {
  const kerma = (mm: number) =>
    energies.reduce((sum, e, i) => {
      const mu = massAttenuation('aluminium', e) * 0.2699
      return sum + weights[i] * e * airAbsorption(e) * Math.exp(-mu * mm)
    }, 0)
  const thickness = (share: number) => {
    let [low, high] = [0, 60]
    for (let n = 0; n < 50; n++) {
      const middle = (low + high) / 2
      if (kerma(middle) > share * kerma(0)) low = middle
      else high = middle
    }
    return low
  }
  const first = thickness(0.5)
  return [first, thickness(0.25) - first]
}

const camera: Camera = {
  detector: centredDetector(1000, [4, 4], [40, 32]),
  cameraFromLps: poseFromView({ alpha: 0.1, beta: 0, gamma: 0.3, translation: [0, 0, 0] }, [0, 0, 0])
}

describe('attenuation', () => {
  it('is what NIST publishes at its energies', () => {
    const published = [
      ['water', 80, 0.1837],
      ['adipose', 60, 0.1974],
      ['softTissue', 100, 0.1693],
      ['bone', 40, 0.6655],
      ['aluminium', 60, 0.2778],
      ['titanium', 30, 4.972],
      ['iron', 80, 0.5952],
      ['cesiumIodide', 50, 12.87],
      ['tungsten', 100, 4.438]
    ] as const
    for (const [material, kev, value] of published)
      expect(massAttenuation(material, kev)).toBeCloseTo(value, 9)
  })

  it('between them is within 5 % of another evaluation, for aluminium', () => {
    // R. J. Howerton, Lawrence Livermore National Laboratory, 1982.
    const other = [
      [25, 1.789],
      [35, 0.7516],
      [45, 0.4387],
      [55, 0.3117],
      [65, 0.2489],
      [70, 0.2289],
      [125, 0.1499]
    ] as const
    for (const [kev, value] of other)
      expect(Math.abs(massAttenuation('aluminium', kev) / value - 1)).toBeLessThan(0.05)
  })

  it('jumps at the K edges of iodine and caesium, and rises with the atomic number', () => {
    expect(massAttenuation('cesiumIodide', 33.2) / massAttenuation('cesiumIodide', 33.1)).toBeGreaterThan(2.9)
    expect(massAttenuation('cesiumIodide', 36) / massAttenuation('cesiumIodide', 35.9)).toBeGreaterThan(1.7)
    const order = ['adipose', 'softTissue', 'bone', 'titanium', 'iron', 'cesiumIodide'] as const
    const at60 = order.map(m => massAttenuation(m, 60))
    expect(at60).toEqual([...at60].sort((a, b) => a - b))
  })

  it('refuses an energy that no table has', () => {
    expect(() => massAttenuation('water', 9)).toThrow(ArgumentError)
    expect(() => massAttenuation('water', Number.NaN)).toThrow(ArgumentError)
  })

  it('of the materials of any HU is, at the energy of the CT, what the HU say', () => {
    const water = massAttenuation('water', 70)
    for (let hu = -1024; hu < 3000; hu += 7) {
      const sum = (['adipose', 'softTissue', 'bone', 'titanium', 'iron'] as const)
        .map(m => densityOf(m, 'iron')(hu) * massAttenuation(m, 70))
        .reduce((a, b) => a + b)
      expect(sum).toBeCloseTo(Math.max(0, water * (1 + hu / 1000)), 9)
    }
    expect(densityOf('iron', 'iron')(3071)).toBe(ATTENUATION.iron.density)
    expect(densityOf('titanium', 'iron')(3071)).toBe(0)
  })
})

describe('the tungsten spectrum', () => {
  // PTB radiation qualities RQR 3–9 and RQA 4–9: measured half-value layers, mm Al. Anode 20°, 950 mm of air.
  // U. Ankerhold, "Catalogue of X-ray spectra and their characteristic data", PTB-Dos-34, Braunschweig 2000.
  it.each([
    [50, 2.5, 1.72, 2.3],
    [60, 2.5, 2.02, 2.84],
    [70, 2.5, 2.29, 3.37],
    [80, 2.5, 2.59, 3.96],
    [90, 2.5, 2.91, 4.57],
    [100, 2.5, 3.23, 5.19],
    [120, 2.5, 3.88, 6.37],
    [60, 18.5, 5.24, 5.7],
    [80, 28.5, 7.96, 8.5],
    [100, 36.5, 9.93, 10.47],
    [120, 42.5, 11.37, 11.97]
  ])(
    'of %d kV behind %d mm Al has the half-value layers measured, to 12 %%',
    (kvp, aluminiumMm, first, second) => {
      const layers = halfValueLayers(
        tungstenSpectrum({ kvp, anodeDegrees: 20, aluminiumMm, airMm: 950, binKev: 1 })
      )
      expect(Math.abs(layers[0] / first - 1)).toBeLessThan(0.12)
      expect(Math.abs(layers[1] / second - 1)).toBeLessThan(0.12)
    }
  )

  it('has K lines above 69.5 kV only, which do not depend on the width of the bins', () => {
    const peak = (kvp: number) => {
      const { energies, weights } = tungstenSpectrum({ kvp, anodeDegrees: 12, aluminiumMm: 2.5, binKev: 1 })
      const at = (kev: number) => weights[energies.findIndex(e => Math.abs(e - kev) <= 0.5)]
      return at(59.4) / at(56.4)
    }
    expect(peak(69)).toBeLessThan(1)
    expect(peak(120)).toBeGreaterThan(2)
    const total = (binKev: number) =>
      tungstenSpectrum({ kvp: 110, anodeDegrees: 12, aluminiumMm: 3, binKev }).weights.reduce((a, b) => a + b)
    expect(total(2) / total(0.5)).toBeCloseTo(1, 2)
  })

  it('hardens with voltage and filter', () => {
    const mean = (kvp: number, aluminiumMm: number, copperMm = 0) =>
      meanEnergy(tungstenBeam({ kvp, anodeDegrees: 12, aluminiumMm, copperMm }, 0.5))
    expect(mean(100, 3)).toBeGreaterThan(mean(80, 3))
    expect(mean(80, 6)).toBeGreaterThan(mean(80, 3))
    expect(mean(80, 3, 0.3)).toBeGreaterThan(mean(80, 6))
  })

  it('refuses a tube that is none', () => {
    for (const wrong of [
      { kvp: Number.NaN },
      { kvp: 500 },
      { anodeDegrees: 0 },
      { aluminiumMm: -1 },
      { copperMm: Number.NaN }
    ])
      expect(() => tungstenSpectrum({ kvp: 80, anodeDegrees: 12, aluminiumMm: 3, ...wrong })).toThrow(
        ArgumentError
      )
  })
})

describe('the primary signal', () => {
  it('of one energy is exp(−integral) of the renderer', () => {
    // 0 … 100 HU and air only: what a CT without bone says at its own energy.
    const volume = sampledVolume([30, 24, 26], [4, 4, 4], (x, y, z) =>
      Math.hypot(x, y, z) < 40 ? 60 + x / 2 : -1000
    )
    const [materials] = renderMaterials(volume, [camera], { backend: 'reference' })
    const muWater = massAttenuation('water', 70) / 10
    const plain = createReferenceRenderer(volume, { muWater }).render(camera)
    const signal = primarySignal(materials, monoenergeticBeam(70))
    signal.data.forEach((x, i) => expect(x).toBeCloseTo(Math.exp(-plain.data[i]), 5))
  })

  it('is so with bone and fat too, and by either renderer', () => {
    const volume = anatomicalVolume([40, 36, 40], [5, 5, 5], 4)
    const muWater = massAttenuation('water', 70) / 10
    const plain = createReferenceRenderer(volume, { muWater }).render(camera)
    for (const [backend, bound] of [
      ['reference', 1e-5],
      ['wasm', 5e-3]
    ] as const) {
      const [materials] = renderMaterials(volume, [camera], { backend })
      const log = primarySignal(materials, monoenergeticBeam(70)).data.map(x => -Math.log(x))
      expect(relativeRms(log, plain.data)).toBeLessThan(bound)
    }
  })

  it('hardens: the effective attenuation of water falls with its thickness, between that of the hardest and softest photons', () => {
    const beam = tungstenBeam({ kvp: 100, anodeDegrees: 12, aluminiumMm: 3 }, 0.5)
    const cm = [0.01, 1, 5, 10, 20, 30, 40]
    const water = { width: cm.length, height: 1, layers: { softTissue: Float32Array.from(cm) } }
    const effective = [...primarySignal(water, beam).data].map((s, i) => -Math.log(s) / cm[i])
    for (let i = 1; i < cm.length; i++) expect(effective[i]).toBeLessThan(effective[i - 1])
    expect(effective[0]).toBeLessThan(massAttenuation('softTissue', 30))
    expect(effective[cm.length - 1]).toBeGreaterThan(massAttenuation('softTissue', 100))
    // Thin layers see the mean over the beam.
    const mean = beam.energies.reduce(
      (sum, e, i) => sum + beam.weights[i] * massAttenuation('softTissue', e),
      0
    )
    expect(effective[0] / mean).toBeCloseTo(1, 2)
  })
})
