import { describe, expect, it } from 'vitest'
import { alongTheBeam } from '../src/register/assessment/along-the-beam.js'
import { plausibleSourceToPatient } from '../src/register/source-to-patient.js'

const C_ARM = { sourceToDetector: 1000, sourceToPatient: 700 }

describe('a pose along the beam', () => {
  it('is not objected to where the file says nothing, or about the same', () => {
    for (const [depth, geometry] of [
      [700, { sourceToDetector: 1000 }],
      [500, { sourceToDetector: 1000 }],
      [745, C_ARM],
      [655, C_ARM]
    ] as const)
      expect(alongTheBeam(depth, geometry)).toEqual({ fatal: [], doubts: [], remarks: [] })
  })

  it('is told where it is off, and not accepted where that is beyond belief', () => {
    // Pixels 10 % too large, then 15 %: the patient seems nearer by as much.
    const some = alongTheBeam(700 / 1.1, C_ARM)
    expect(some.remarks[0]).toMatch(/700 mm from source to patient, the pose 636 mm: pixel size/)
    expect(some.doubts).toEqual([])
    const much = alongTheBeam(700 / 1.15, C_ARM)
    expect(much.doubts[0]).toMatch(/the pose 609 mm/)
    expect(much.fatal).toEqual([])
  })

  it('cannot be behind the detector', () => {
    expect(alongTheBeam(1006, C_ARM).fatal[0]).toMatch(/1006 mm from the source, the detector is at 1000 mm/)
    expect(alongTheBeam(960, { sourceToDetector: 1000 }).fatal).toHaveLength(1)
  })

  it('is not held against a placeholder', () => {
    for (const sourceToPatient of [1200, 70, 0, 1000])
      expect(alongTheBeam(600, { sourceToDetector: 1000, sourceToPatient }).doubts).toEqual([])
  })

  it('is not begun from one either', () => {
    for (const told of [1200, 1000, 970, 70, 0, null, undefined, Number.NaN])
      expect(plausibleSourceToPatient(told, 1000)).toBeUndefined()
    expect(plausibleSourceToPatient(700, 1000)).toBe(700)
  })
})
