import { describe, expect, it } from 'vitest'
import { GeometryError } from '../src/errors.js'
import { PAPER_DETECTOR } from '../src/geometry/camera.js'
import { geometryFromJson, geometryPartsFromJson, geometryToJson } from '../src/geometry/geometry-json.js'
import { IDENTITY4 } from '../src/geometry/linear.js'

const full = geometryToJson(PAPER_DETECTOR, IDENTITY4)

describe('keys of a geometry JSON', () => {
  it.each([
    ['principal_point', 'principalPoint'],
    ['principalpoint', 'principalPoint'],
    ['PrincipalPiont', 'principalPoint'],
    ['sdd', 'sddMm'],
    ['SID', 'sddMm'],
    ['pixel', 'pixelMm'],
    ['pixelSize', 'pixelMm'],
    ['camera_from_lps', 'cameraFromLps'],
    ['sizes', 'size']
  ])('%s is refused by name, and %s is proposed', (key, meant) => {
    const message = `unknown key ${key}; do you mean ${meant}?`
    expect(() => geometryFromJson({ ...full, [key]: [1, 2] })).toThrow(GeometryError)
    expect(() => geometryFromJson({ ...full, [key]: [1, 2] })).toThrow(message)
    expect(() => geometryPartsFromJson({ [key]: 1 })).toThrow(message)
  })

  it('a key that resembles none has nothing proposed', () => {
    expect(() => geometryFromJson({ ...full, manufacturer: 'x' })).toThrow(/unknown key manufacturer$/)
  })

  it('all that is written can be read', () => {
    expect(geometryFromJson(full)).toEqual({ detector: PAPER_DETECTOR, cameraFromLps: [...IDENTITY4] })
  })
})

describe('part of a geometry', () => {
  it('gives what is there and nothing else', () => {
    expect(geometryPartsFromJson({})).toEqual({})
    expect(geometryPartsFromJson({ sddMm: 1200 })).toEqual({ sdd: 1200 })
    expect(geometryPartsFromJson({ principalPoint: [3, 4], pixelMm: [1, 2] })).toEqual({
      principalPoint: [3, 4],
      pixel: [1, 2]
    })
  })
})
