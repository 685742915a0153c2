import { FileFormatError, VolumeError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readNrrd } from '../src/index.js'
import { thrown } from './fixtures.js'

const PLAIN = ['type: short', 'dimension: 3', 'sizes: 2 2 2', 'endian: little', 'encoding: raw']
const BODY = Int16Array.from([1, 2, 3, 4, 5, 6, 7, 8])

/** A NRRD file of these lines; `before` is put between its header and its voxels. */
function nrrd(lines: readonly string[], before = new Uint8Array()): Uint8Array {
  const head = new TextEncoder().encode(`${['NRRD0004', ...lines].join('\n')}\n\n`)
  return Uint8Array.from([...head, ...before, ...new Uint8Array(BODY.buffer)])
}
const read = (...lines: string[]) => readNrrd(nrrd([...PLAIN, ...lines]), 'a.nrrd').volume
const close = (a: readonly number[], b: readonly number[]) =>
  expect(a.map(x => Math.round(x * 1e6) / 1e6)).toEqual(b)

describe('the size of voxels in a NRRD file', () => {
  it.each([
    ['nothing', []],
    ['a space alone', ['space: LPS']],
    ['one spacing too few', ['spacings: 2 3']],
    ['a spacing that is not a number', ['spacings: 2 3 nan']]
  ])('is not guessed from %s', async (_, lines) => {
    const error = await thrown(() => read(...lines))
    expect(error).toBeInstanceOf(VolumeError)
    expect(error.message).toMatch(/a\.nrrd does not say how large its voxels are/)
    expect(error.hint).toMatch(/Write it again/)
  })

  it.each([
    ['m', 1000],
    ['cm', 10],
    ['mm', 1],
    ['um', 0.001],
    ['', 1]
  ])('is in "%s" where the file says so', (unit, mm) => {
    const units = `"${unit}" "${unit}" "${unit}"`
    for (const field of ['space units', 'units']) {
      const v = read(
        'space: LPS',
        'space directions: (2,0,0) (0,3,0) (0,0,4)',
        'space origin: (10,20,30)',
        `${field}: ${units}`
      )
      close(v.spacing, [2 * mm, 3 * mm, 4 * mm])
      close(v.origin, [10 * mm, 20 * mm, 30 * mm])
    }
    const v = read('spacings: 2 3 4', 'axis mins: 5 6 7', `units: ${units}`)
    close(v.spacing, [2 * mm, 3 * mm, 4 * mm])
    close(v.origin, [5 * mm, 6 * mm, 7 * mm])
  })

  it('may have a unit for each axis, or one that is not known', async () => {
    close(read('spacings: 2 0.3 4', 'units: "mm" "cm" "mm"').spacing, [2, 3, 4])
    const error = await thrown(() => read('spacings: 2 3 4', 'units: "inch" "inch" "inch"'))
    expect(error).toBeInstanceOf(VolumeError)
    expect(error.message).toMatch(/"inch"/)
  })
})

describe('the place of a NRRD file without a space', () => {
  it('is that of its axis mins', () => {
    expect(read('spacings: 2 3 4', 'axis mins: -100 -50 7').origin).toEqual([-100, -50, 7])
    // The least of a cell is its edge.
    expect(read('spacings: 2 3 4', 'axis mins: -100 -50 7', 'centers: cell node cell').origin).toEqual([
      -99, -50, 9
    ])
    expect(read('spacings: 2 3 4', 'axis mins: 1 nan 3').origin).toEqual([1, 0, 3])
    expect(read('spacings: 2 3 4', 'axis mins: 1 2 3', 'space origin: (7,8,9)').origin).toEqual([7, 8, 9])
  })
})

describe('axes of length 1', () => {
  const four = (sizes: string, ...lines: string[]) =>
    readNrrd(
      nrrd([...PLAIN.map(l => l.replace('dimension: 3', 'dimension: 4').replace('2 2 2', sizes)), ...lines]),
      'a.nrrd'
    ).volume
  it('beyond three are dropped, wherever they are', () => {
    for (const [sizes, directions] of [
      ['1 2 2 2', 'none (2,0,0) (0,3,0) (0,0,4)'],
      ['2 2 2 1', '(2,0,0) (0,3,0) (0,0,4) none'],
      ['2 2 1 2', '(2,0,0) (0,3,0) none (0,0,4)']
    ]) {
      const v = four(sizes, 'space: LPS', `space directions: ${directions}`)
      expect([v.size, v.spacing]).toEqual([
        [2, 2, 2],
        [2, 3, 4]
      ])
      expect(v.data).toEqual(BODY)
    }
    expect(four('1 2 2 2', 'spacings: nan 2 3 4').spacing).toEqual([2, 3, 4])
    // Of two, the one without a direction.
    expect(four('1 1 4 2', 'space: LPS', 'space directions: (2,0,0) none (0,3,0) (0,0,4)').size).toEqual([
      1, 4, 2
    ])
  })

  it('are not made up: a file of several volumes or of two axes is refused', async () => {
    const error = await thrown(() => four('2 2 2 1'.replace('1', '2'), 'spacings: 1 1 1 1'))
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error.message).toMatch(/4 dimensions \(2 × 2 × 2 × 2\)/)
  })
})

describe('a byte skip of -1', () => {
  const lines = ['space: LPS', 'space directions: (2,0,0) (0,3,0) (0,0,4)', 'byte skip: -1']
  it('takes the last bytes of raw data', () => {
    const bytes = nrrd([...PLAIN, ...lines], Uint8Array.from([9, 9, 9, 9, 9]))
    expect(readNrrd(bytes).volume.data).toEqual(BODY)
    expect(readNrrd(nrrd([...PLAIN, ...lines])).volume.data).toEqual(BODY)
  })

  it('is refused where data is compressed, or too short', async () => {
    const gzip = PLAIN.map(l => l.replace('raw', 'gzip'))
    expect((await thrown(() => readNrrd(nrrd([...gzip, ...lines])))).message).toMatch(/byte skip/)
    const short = nrrd([...PLAIN.map(l => l.replace('2 2 2', '2 2 5')), ...lines])
    expect((await thrown(() => readNrrd(short))).message).toMatch(/16 bytes.*40/)
  })
})
