import type { NamedBytes } from '../src/index.js'
import { writeDicomXray } from '../src/index.js'

export const SIZE = [120, 90] as const

/** An XA image of 240 × 180 mm, 1000 mm from the source, 650 mm to the patient. */
export const xaFile = (sourceToPatient?: number): NamedBytes => ({
  name: 'xa.dcm',
  bytes: writeDicomXray(
    {
      width: SIZE[0],
      height: SIZE[1],
      data: Float32Array.from({ length: SIZE[0] * SIZE[1] }, (_, i) => i % 97)
    },
    {
      detector: { sdd: 1000, pixel: [2, 2], size: SIZE, principalPoint: [59.5, 44.5] },
      ...(sourceToPatient !== undefined && { sourceToPatient })
    }
  )
})

type Element = readonly [vr: string, ...values: unknown[]]

/** An item of a sequence, for `edited`. */
export const item = (elements: Record<string, Element>) =>
  Object.fromEntries(Object.entries(elements).map(([tag, [vr, ...Value]]) => [tag, { vr, Value }]))
