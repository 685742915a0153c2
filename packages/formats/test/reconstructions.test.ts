import { SeriesError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { chooseSeries, groupSeries, type NamedBytes, volumeFromSeries } from '../src/index.js'
import { type Content, changed, partTen, sliceElements } from './dicom-bytes.js'
import { shuffled, thrown } from './fixtures.js'

interface Plan {
  readonly z: number
  readonly hu?: number
  readonly acquisition?: number | null
  readonly kernel?: string
  readonly kv?: number
}

const filesOf = (plans: readonly Plan[]): NamedBytes[] =>
  plans.map(({ z, hu = 40, acquisition = 1, kernel = 'B30f', kv = 120 }, k) =>
    partTen(
      `s${String(k + 1).padStart(2, '0')}.dcm`,
      changed(sliceElements(z, new Int16Array(64).fill(hu)), {
        '00080018': ['UI', `1.2.9.${k}`],
        '00180060': ['DS', String(kv)],
        '00181210': ['SH', kernel],
        '00200012': acquisition === null ? null : (['IS', String(acquisition)] as Content)
      })
    )
  )

const plan = (count: number, one: (k: number) => Plan): Plan[] =>
  Array.from({ length: count }, (_, k) => one(k))
const choose = (plans: readonly Plan[], uid?: string) =>
  chooseSeries(groupSeries(shuffled(filesOf(plans))), uid)

/** Each way in which two volumes of 5 mm lie in one series, the second at 180 HU. */
const OVERLAPS: Record<string, [Plan[], RegExp]> = {
  'interleaved, of two kernels': [
    plan(40, k => (k % 2 ? { z: 2.5 * k, hu: 180, kernel: 'B70f' } : { z: 2.5 * k })),
    /#1 .*kernel B30f.*#2 .*kernel B70f/
  ],
  'interleaved, of two acquisitions': [
    plan(40, k => (k % 2 ? { z: 2.5 * k, hu: 180, acquisition: 2 } : { z: 2.5 * k })),
    /#1 .*acquisition 1.*#2 .*acquisition 2/
  ],
  'interleaved, of two voltages': [
    plan(40, k => (k % 2 ? { z: 2.5 * k, hu: 180, kv: 80 } : { z: 2.5 * k })),
    /#1 .*kV 120.*#2 .*kV 80/
  ],
  'in the same places': [
    plan(40, k => (k < 20 ? { z: 5 * k } : { z: 5 * (k - 20), hu: 180, acquisition: 2 })),
    /#1 .*acquisition 1.*#2 .*acquisition 2/
  ],
  'both with two positions of the table': [
    plan(40, k => {
      const second = k % 2 === 1
      const z = 5 * Math.floor(k / 2) + (second ? 2.5 : 0)
      return { z, hu: second ? 180 : 40, acquisition: (second ? 2 : 1) + (k < 20 ? 0 : 2) }
    }),
    /#1 .*acquisition 1, 3.*#2 .*acquisition 2, 4/
  ]
}

describe('two reconstructions under one series UID', () => {
  it.each(Object.keys(OVERLAPS))('%s: listed, and one can be chosen', async what => {
    const [plans, list] = OVERLAPS[what]
    for (const uid of [undefined, '1.2.3.4']) {
      const error = await thrown(() => choose(plans, uid))
      expect(error).toBeInstanceOf(SeriesError)
      expect(error.message).toMatch(list)
      expect(error.hint).toMatch(/#1, #2/)
    }
    for (const [uid, hu] of [
      ['1.2.3.4#1', 40],
      ['#2', 180]
    ] as const) {
      const chosen = choose(plans, uid)
      expect([chosen.seriesUid, chosen.count]).toEqual(['1.2.3.4', 20])
      const { volume } = await volumeFromSeries(chosen.files)
      expect(volume.size[2]).toBe(20)
      expect(volume.spacing[2]).toBeCloseTo(5, 9)
      expect(new Set(volume.data)).toEqual(new Set([hu]))
    }
    const all = await thrown(() => volumeFromSeries(shuffled(filesOf(plans))))
    expect(all).toBeInstanceOf(SeriesError)
    expect(all.message).toMatch(/2 reconstructions that overlap/)
  })
})

describe('one volume stays one', () => {
  const WHOLE: Record<string, Plan[]> = {
    'the table moves on: another acquisition': plan(30, k => ({ z: 5 * k, acquisition: k < 12 ? 1 : 2 })),
    'another kernel and voltage further down': plan(30, k =>
      k < 12 ? { z: 5 * k } : { z: 5 * k, kernel: 'B70f', kv: 140 }
    ),
    'an acquisition for each slice': plan(30, k => ({ z: 5 * k, acquisition: k })),
    'an acquisition for each rotation': plan(32, k => ({ z: 5 * k, acquisition: Math.floor(k / 4) })),
    'acquisition numbers that mean nothing': plan(30, k => ({ z: 5 * k, acquisition: (k * k) % 7 })),
    'one slice that lost its number': plan(30, k => ({ z: 5 * k, acquisition: k === 9 ? null : 1 }))
  }
  it.each(Object.keys(WHOLE))('%s', async what => {
    const chosen = choose(WHOLE[what])
    expect(chosen.id).toBe('1.2.3.4')
    expect((await volumeFromSeries(chosen.files)).volume.size[2]).toBe(WHOLE[what].length)
  })
  it('a scout among the slices does not split them', async () => {
    const scout = partTen(
      'scout.dcm',
      changed(sliceElements(20), {
        '00080008': ['CS', 'ORIGINAL', 'PRIMARY', 'LOCALIZER'],
        '00200012': ['IS', '9']
      })
    )
    const { volume, notes } = await volumeFromSeries([scout, ...filesOf(plan(20, k => ({ z: 5 * k })))])
    expect(volume.size[2]).toBe(20)
    expect(notes.join()).toMatch(/localizer.*scout\.dcm/)
  })
})
