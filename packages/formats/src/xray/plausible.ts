import { type Detector, GeometryError } from '@raypose/core'

/** What X-ray machines have, mm: a value far outside is in another unit, and no search would end well with it. */
const DISTANCE: Range = [300, 4000]
const PIXEL: Range = [0.02, 5]
const SIDE: Range = [20, 1000]

/** A picture of fewer pixels is a cut-out: that it is small says nothing of its unit. */
const WHOLE_PICTURE = 100

type Range = readonly [least: number, most: number]

/** Units that lengths are given in by mistake, and how many mm they are. */
const UNITS = [
  ['centimetres', 10],
  ['metres', 1000],
  ['micrometres', 0.001],
  ['inches', 25.4]
] as const

/**
 * Checks that the detector of an X-ray can be one of a machine.
 * @param name of the X-ray, for messages
 * @throws GeometryError naming the value that cannot be, and the unit that it looks like.
 */
export function assertPlausible({ sdd, pixel, size }: Detector, name: string): void {
  check(sdd, DISTANCE, `source-to-detector distance of ${name}`, '"sddMm", --sdd or (0018,1110)')
  for (const p of pixel) check(p, PIXEL, `pixel size of ${name}`, '"pixelMm" or (0018,1164)')
  const sides = [size[0] * pixel[0], size[1] * pixel[1]]
  const longer = sides[0] > sides[1] ? 0 : 1
  const range: Range = size[longer] < WHOLE_PICTURE ? [0, SIDE[1]] : SIDE
  check(
    sides[longer],
    range,
    `longer side of ${name} (${size[longer]} pixels of ${shown(pixel[longer])} mm)`,
    '"pixelMm" or (0018,1164)',
    pixel[longer]
  )
}

function check(mm: number, range: Range, what: string, where: string, part = mm): void {
  const [least, most] = range
  const fits = (x: number) => x >= least && x <= most
  if (fits(mm)) return
  const unit = UNITS.find(([, factor]) => fits(mm * factor))
  throw new GeometryError(
    `The ${what} is ${shown(mm)} mm, which no X-ray machine has${unit ? `: it looks like ${unit[0]}` : ` (${least} to ${most} mm)`}`,
    `Give millimetres${unit ? `, ${shown(part * unit[1])} instead of ${shown(part)}` : ''}: ${where}. A geometry JSON goes before what a DICOM file says.`
  )
}

const shown = (x: number) => String(Number(x.toPrecision(6)))
