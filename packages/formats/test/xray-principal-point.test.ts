import { describe, expect, it } from 'vitest'
import { readXrayBytes, writeDicomXray } from '../src/index.js'
import { edited } from './dicom-edit.js'

/** Elements of the panel (columns, rows) and their size; the middle one is where the ray at right angles ends. */
const PANEL = { width: 161, height: 121, element: 2 }
const MIDDLE = { x: 80, y: 60 }
const MARK = 5000

type Picture = { width: number; height: number; data: number[] }

const panel: Picture = {
  width: PANEL.width,
  height: PANEL.height,
  data: Array.from({ length: PANEL.width * PANEL.height }, (_, i) =>
    i === MIDDLE.y * PANEL.width + MIDDLE.x ? MARK : i % 97
  )
}

const remade = (width: number, height: number, at: (x: number, y: number) => number): Picture => ({
  width,
  height,
  data: Array.from({ length: width * height }, (_, i) => at(i % width, Math.floor(i / width)))
})
const pixel = (p: Picture) => (x: number, y: number) => p.data[y * p.width + x]
const cropped = (p: Picture, x0: number, y0: number, w: number, h: number) =>
  remade(w, h, (x, y) => pixel(p)(x0 + x, y0 + y))
/** A quarter clockwise: what was the left column, read upwards, is the top row. */
const quarter = (p: Picture) => remade(p.height, p.width, (x, y) => pixel(p)(y, p.height - 1 - x))
const flipped = (p: Picture) => remade(p.width, p.height, (x, y) => pixel(p)(p.width - 1 - x, y))

const file = (p: Picture, changes: Parameters<typeof edited>[1]) =>
  edited(
    {
      name: 'dx.dcm',
      bytes: writeDicomXray(
        { ...p, data: Float32Array.from(p.data) },
        {
          detector: {
            sdd: 1100,
            pixel: [PANEL.element, PANEL.element],
            size: [p.width, p.height],
            principalPoint: [(p.width - 1) / 2, (p.height - 1) / 2]
          }
        }
      )
    },
    { '00080060': ['CS', 'DX'], ...changes }
  )

const mm = (n: number) => String(n * PANEL.element)
const DIMENSIONS = { '00187026': ['DS', mm(PANEL.height), mm(PANEL.width)] } as const
const FIELD = { x: 50, y: 35, width: 100, height: 70 }
const ORIGIN = { '00187030': ['DS', String(FIELD.y), String(FIELD.x)] } as const
const field = cropped(panel, FIELD.x, FIELD.y, FIELD.width, FIELD.height)

describe('the principal point of a picture that is a part of the detector', () => {
  for (const turns of [0, 1, 2, 3])
    for (const flip of [false, true])
      it(`turned by ${90 * turns}°${flip ? ' and flipped' : ''}: the detector's centre`, async () => {
        let picture = field
        for (let t = 0; t < turns; t++) picture = quarter(picture)
        if (flip) picture = flipped(picture)
        const dx = file(picture, {
          ...DIMENSIONS,
          ...ORIGIN,
          '00187022': ['DS', '2', '2'],
          '00187032': ['DS', String(90 * turns)],
          '00187034': ['CS', flip ? 'YES' : 'NO']
        })
        const read = await readXrayBytes('dx.dcm', dx.bytes)
        const [u, v] = read.detector.principalPoint
        expect(u).toBeCloseTo(picture.data.indexOf(MARK) % picture.width, 9)
        expect(v).toBeCloseTo(Math.floor(picture.data.indexOf(MARK) / picture.width), 9)
        expect(read.notes.join()).toMatch(/shows a part of its detector: the principal point/)
      })

  it('elements that are smaller than the pixels, and an active area that begins inside', async () => {
    const dx = file(field, {
      ...DIMENSIONS,
      '00187022': ['DS', '0.5', '1'],
      '00187030': ['DS', String(4 * (FIELD.y + 3)), String(2 * (FIELD.x + 5))],
      '00187028': ['DS', '12', '10']
    })
    const { detector } = await readXrayBytes('dx.dcm', dx.bytes)
    expect(detector.principalPoint[0]).toBeCloseTo(MIDDLE.x - FIELD.x, 9)
    expect(detector.principalPoint[1]).toBeCloseTo(MIDDLE.y - FIELD.y, 9)
  })

  it('binning instead of an element spacing; dimensions the other way round where only that fits', async () => {
    const low = cropped(panel, 55, 50, 100, 70)
    const dx = file(low, {
      '00187026': ['DS', mm(PANEL.width), mm(PANEL.height)],
      '0018701A': ['DS', '2', '2'],
      '00187030': ['DS', '100', '110']
    })
    const { detector } = await readXrayBytes('dx.dcm', dx.bytes)
    // Rows first it would be a panel 242 wide, which a field from 110 of 200 mm would leave.
    expect(detector.principalPoint[0]).toBeCloseTo(MIDDLE.x - 55, 9)
    expect(detector.principalPoint[1]).toBeCloseTo(MIDDLE.y - 50, 9)
  })

  it('the whole detector: the image centre, and nothing to say', async () => {
    const dx = file(panel, { ...DIMENSIONS, '00187030': ['DS', '0', '0'] })
    const read = await readXrayBytes('dx.dcm', dx.bytes)
    expect(read.detector.principalPoint).toEqual([80, 60])
    expect(read.notes.join()).not.toMatch(/principal point/)
    const round = file(cropped(panel, 0, 0, 120, 120), { '00187026': ['DS', '242'] })
    expect((await readXrayBytes('r.dcm', round.bytes)).notes.join()).not.toMatch(/principal point/)
  })

  it.each([
    ['only how large the detector is', DIMENSIONS, /does not say which/],
    ['only where the field begins', ORIGIN, /whose size it does not say/],
    ['an origin that does not fit', { ...DIMENSIONS, '00187030': ['DS', '90', '90'] }, /would not fit/]
  ] as const)('%s: the image centre, with a note', async (_, tags, note) => {
    const read = await readXrayBytes('dx.dcm', file(field, { ...tags }).bytes)
    expect(read.detector.principalPoint).toEqual([49.5, 34.5])
    expect(read.notes.join()).toMatch(note)
    expect(read.notes.join()).toMatch(/taken to be the image's centre/)
  })

  it('is not asked for where the user gives it', async () => {
    const told = await readXrayBytes('dx.dcm', file(field, { ...DIMENSIONS, ...ORIGIN }).bytes, {
      principalPoint: [10, 20]
    })
    expect(told.detector.principalPoint).toEqual([10, 20])
    expect(told.notes.join()).not.toMatch(/principal point/)
  })
})
