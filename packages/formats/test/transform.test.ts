import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  applyRigid,
  expSO3,
  FileFormatError,
  GeometryError,
  type Mat4,
  rigid,
  type Vec3
} from '@raypose/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readItkTransform, writeItkTransform } from '../src/index.js'
import { fileBytes, hasCommand, inTemporaryFolder, thrown } from './fixtures.js'

const close = (a: Mat4, b: Mat4, tolerance: number) => {
  a.forEach((x, i) => {
    expect(Math.abs(x - b[i])).toBeLessThan(tolerance)
  })
}

const finite = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true })
const vector = (limit: number) => fc.tuple(finite(limit), finite(limit), finite(limit))

const tfm = (type: string, parameters: number[], fixed = '0 0 0') =>
  `#Insight Transform File V1.0\n#Transform 0\nTransform: ${type}\nParameters: ${parameters.join(' ')}\nFixedParameters: ${fixed}\n`

describe('ITK transform', () => {
  it('any rigid motion survives, in both forms, about any centre', () => {
    fc.assert(
      fc.property(vector(3), vector(500), vector(300), fc.boolean(), (w, t, centre, versor) => {
        const m = rigid(expSO3(w), t)
        const type = versor ? 'VersorRigid3DTransform' : 'AffineTransform'
        close(readItkTransform(writeItkTransform(m, type, centre)), m, 1e-9)
      })
    )
  })
  it('half a turn, where the versor has no scalar part', () => {
    for (const w of [
      [Math.PI, 0, 0],
      [0, Math.PI, 0],
      [0, 0, -Math.PI]
    ] as Vec3[]) {
      const m = rigid(expSO3(w), [1, 2, 3])
      close(readItkTransform(writeItkTransform(m, 'VersorRigid3DTransform')), m, 1e-7)
    }
  })
  it('means what ITK means by centre, Euler angles and versor', () => {
    // 90° about z through (10, 0, 0): (10, 5, 0) goes to (5, 0, 0), plus the translation.
    const expected = [0, -1, 0, 11, 1, 0, 0, -8, 0, 0, 1, 3, 0, 0, 0, 1]
    const half = Math.SQRT1_2
    close(
      readItkTransform(tfm('Euler3DTransform_double_3_3', [0, 0, Math.PI / 2, 1, 2, 3], '10 0 0')),
      expected,
      1e-12
    )
    close(
      readItkTransform(tfm('VersorRigid3DTransform_double_3_3', [0, 0, half, 1, 2, 3], '10 0 0')),
      expected,
      1e-9
    )
    close(
      readItkTransform(tfm('AffineTransform_double_3_3', [0, -1, 0, 1, 0, 0, 0, 0, 1, 1, 2, 3], '10 0 0')),
      expected,
      1e-12
    )
    // Without the flag Rz·Rx·Ry: x turned a quarter, then y. (0, 0, 1) goes by Ry to (1, 0, 0), which Rx leaves.
    const zxy = readItkTransform(tfm('Euler3DTransform_double_3_3', [Math.PI / 2, Math.PI / 2, 0, 0, 0, 0]))
    close([zxy[2], zxy[6], zxy[10]], [1, 0, 0], 1e-12)
    // With it Rz·Ry·Rx: (0, 0, 1) goes by Rx to (0, −1, 0), which Ry leaves.
    const zyx = readItkTransform(
      tfm('Euler3DTransform_double_3_3', [Math.PI / 2, Math.PI / 2, 0, 0, 0, 0], '0 0 0 1')
    )
    close([zyx[2], zyx[6], zyx[10]], [0, -1, 0], 1e-12)
  })
  it.skipIf(!hasCommand('plastimatch')).each(['AffineTransform', 'VersorRigid3DTransform'] as const)(
    'a written %s moves points in plastimatch (ITK) as here',
    type => {
      const m = rigid(expSO3([0.4, -0.9, 0.3]), [12.5, -7, 140])
      const field = inTemporaryFolder(folder => {
        const [input, output] = [join(folder, 'in.tfm'), join(folder, 'out.mha')]
        writeFileSync(input, writeItkTransform(m, type, [5, 6, 7]))
        const grid = ['--dim', '2 2 2', '--origin', '-50 20 10', '--spacing', '100 80 60']
        const args = ['xf-convert', '--input', input, '--output', output, '--output-type', 'vf', ...grid]
        execFileSync('plastimatch', args, { stdio: 'pipe' })
        return fileBytes(output)
      })
      // 2×2×2 displacements of three floats, at the end of the file.
      const displacement = new Float32Array(field.slice(-96).buffer)
      for (let n = 0; n < 8; n++) {
        const p: Vec3 = [-50 + 100 * (n & 1), 20 + 80 * ((n >> 1) & 1), 10 + 60 * (n >> 2)]
        applyRigid(m, p).forEach((x, a) => {
          expect(Math.abs(p[a] + displacement[3 * n + a] - x)).toBeLessThan(1e-3)
        })
      }
    }
  )
  it.skipIf(!hasCommand('plastimatch'))('reads what plastimatch (ITK) writes', () => {
    const m = rigid(expSO3([0.4, -0.9, 0.3]), [12.5, -7, 140])
    const text = inTemporaryFolder(folder => {
      const [input, output] = [join(folder, 'in.tfm'), join(folder, 'out.tfm')]
      writeFileSync(input, writeItkTransform(m, 'VersorRigid3DTransform', [5, 6, 7]))
      const args = ['xf-convert', '--input', input, '--output', output, '--output-type', 'affine']
      execFileSync('plastimatch', args, { stdio: 'pipe' })
      return new TextDecoder().decode(fileBytes(output))
    })
    expect(text).toContain('AffineTransform_double_3_3')
    close(readItkTransform(text), m, 1e-5)
  })
  it('refuses what is not one rigid transform', async () => {
    const error = async (text: string) => thrown(() => readItkTransform(text, 'x.tfm'))
    const cases: [string, RegExp][] = [
      ['hello', /x\.tfm is not an ITK transform/],
      [tfm('BSplineTransform_double_3_3', [1]), /BSplineTransform/],
      [tfm('AffineTransform_double_3_3', [1, 2, 3]), /3 parameters, not 12/],
      [tfm('AffineTransform_double_3_3', [1]).replace('Parameters: 1', 'Parameters: one'), /no number/],
      [tfm('VersorRigid3DTransform_double_3_3', [1, 1, 0, 0, 0, 0]), /longer than 1/],
      [
        `${tfm('TranslationTransform_double_3_3', [1, 2, 3])}Transform: TranslationTransform_double_3_3\n`,
        /2 transforms/
      ]
    ]
    for (const [text, message] of cases) {
      const e = await error(text)
      expect(e).toBeInstanceOf(FileFormatError)
      expect(e.message).toMatch(message)
    }
    const scaled = await error(tfm('AffineTransform_double_3_3', [2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]))
    expect(scaled).toBeInstanceOf(GeometryError)
  })
})
