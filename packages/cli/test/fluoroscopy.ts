import { createPhantom, type Image, PAPER_DETECTOR } from '@raypose/core'
import { writeDicomXray } from '@raypose/formats'
import { compactSpec, randomParameters } from '@raypose/network'
import { writePatient } from '@raypose/pipeline'
import { edited } from '../../formats/test/dicom-edit.js'
import { preparedLandmarks } from './fixtures.js'

const [WIDTH, HEIGHT] = PAPER_DETECTOR.size
const COUNT = WIDTH * HEIGHT

/** A patient whose network knows nothing: every command runs with it, and no pose is found. */
export async function writeIgnorantPatient(folder: string): Promise<void> {
  const phantom = createPhantom({ seed: 4, spacing: 6, size: [55, 41, 48] })
  const spec = compactSpec(23)
  const names = phantom.landmarks.map((_, i) => `${i}`)
  await writePatient(folder, {
    isocenter: [...phantom.isocenter],
    detector: { sdd: 1200, pixel: [1.6, 1.6], size: [WIDTH, HEIGHT], principalPoint: [119.5, 93.5] },
    landmarks: preparedLandmarks(phantom.landmarks, names),
    provenance: {},
    validation: {},
    curve: [],
    network: {
      spec,
      parameters: randomParameters(spec, 1),
      landmarkNames: names,
      pixelMm: [1.6, 1.6],
      provenance: {}
    },
    volume: phantom.ct
  })
}

/** A picture of nothing that is known. */
export const pattern = (seed: number): Uint16Array =>
  Uint16Array.from({ length: COUNT }, (_, i) => 1000 + ((i * (seed + 3)) % 997))

export const blank = (): Uint16Array => new Uint16Array(COUNT)

/** A fluoroscopy run in RLE; `damaged` frames are cut short. */
export function fluoroscopy(frames: readonly Uint16Array[], damaged: readonly number[] = []): Uint8Array {
  const picture: Image = { width: WIDTH, height: HEIGHT, data: Float32Array.from(pattern(0)) }
  const bytes = writeDicomXray(picture, {
    detector: PAPER_DETECTOR,
    intensity: 'linear',
    bright: 'exposure'
  })
  return edited(
    { name: 'run.dcm', bytes },
    {
      '00020010': ['UI', '1.2.840.10008.1.2.5'],
      '00280008': ['IS', String(frames.length)],
      '00281052': ['DS', '0'],
      '00281053': ['DS', '1'],
      '7FE00010': [
        'OB',
        ...frames.map((frame, k) => {
          const coded = rle(frame)
          const kept = damaged.includes(k) ? coded.subarray(0, 1000) : coded
          return kept.slice().buffer
        })
      ]
    }
  ).bytes
}

/** Literal runs only. Source: DICOM PS3.5 annex G. */
function rle(values: Uint16Array): Uint8Array {
  const segments = [8, 0].map(shift => {
    const out: number[] = []
    for (let i = 0; i < values.length; i += 128) {
      const run = values.subarray(i, i + 128)
      out.push(run.length - 1, ...Array.from(run, v => (v >> shift) & 255))
    }
    if (out.length % 2) out.push(0x80)
    return out
  })
  const header = new Uint32Array(16)
  header.set([2, 64, 64 + segments[0].length])
  return Uint8Array.from([...new Uint8Array(header.buffer), ...segments.flat()])
}
