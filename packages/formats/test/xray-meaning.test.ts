import { XrayError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { readXrayBytes } from '../src/index.js'
import { edited } from './dicom-edit.js'
import { thrown } from './fixtures.js'
import { xaFile } from './xray-fixtures.js'

const xa = xaFile(650)
const read = (changes: Parameters<typeof edited>[1]) => readXrayBytes('xa.dcm', edited(xa, changes).bytes)

describe('what the values of a DICOM X-ray mean', () => {
  it('a negative rescale slope turns the sign of the stored values round', async () => {
    const turned = { '00281053': ['DS', '-1'], '00281052': ['DS', '4095'] } as const
    for (const [sign, plain, other] of [
      [1, 'exposure', 'attenuation'],
      [-1, 'attenuation', 'exposure']
    ] as const) {
      expect((await read({ '00281041': ['SS', sign] })).bright).toBe(plain)
      const back = await read({ '00281041': ['SS', sign], ...turned })
      expect(back.bright).toBe(other)
      expect(back.guessed).toEqual([])
    }
  })

  it('a rescale slope of 0 is named', async () => {
    const error = await thrown(() => read({ '00281053': ['DS', '0'] }))
    expect(error).toBeInstanceOf(XrayError)
    expect(error.message).toMatch(/rescale slope \(0028,1053\) 0/)
  })

  it('modality RG is a radiograph as CR is', async () => {
    const silent = { '00281040': null, '00281041': null } as const
    const meaning = async (modality: string) => {
      const { intensity, bright, guessed } = await read({ ...silent, '00080060': ['CS', modality] })
      return [intensity, bright, ...guessed]
    }
    expect(await meaning('RG')).toEqual(await meaning('CR'))
  })
})
