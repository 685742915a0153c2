import { MU_WATER, type PreparedVolume, prepareWasmVolume, type Volume } from '@raypose/core'

/** HU that divides soft tissue from what bone adds to it. */
const DIVIDE_HU = 100

/**
 * A CT as two layers whose line integrals add up to its own: soft tissue (at most 100 HU) and the excess of bone, metal and
 * contrast above it, so that training can vary the contrast between them after rendering. Shared between threads.
 */
export function patientLayers(volume: Volume): { bone: PreparedVolume; soft: PreparedVolume } {
  const bone = new Float32Array(volume.data.length)
  const soft = new Int16Array(volume.data.length)
  for (let i = 0; i < bone.length; i++) {
    const hu = volume.data[i]
    soft[i] = Math.min(hu, DIVIDE_HU)
    bone[i] = hu > DIVIDE_HU ? ((hu - DIVIDE_HU) * MU_WATER) / 1000 : 0
  }
  return {
    bone: prepareWasmVolume({ ...volume, data: bone }, { convert: 'linear', shared: true, slots: 2 }),
    soft: prepareWasmVolume({ ...volume, data: soft }, { shared: true, slots: 2 })
  }
}
