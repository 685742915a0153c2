import {
  applyRigid,
  assertRigid,
  FileFormatError,
  IDENTITY3,
  logSO3,
  type Mat3,
  type Mat4,
  mulMat3,
  mulMat3Vec3,
  rigid,
  rotationOf,
  rotationX,
  rotationY,
  rotationZ,
  type Vec3
} from '@raypose/core'
import { guard } from '../bytes/guard.js'

/** Transforms that are written: both hold any rigid motion. */
export type ItkTransformType = 'AffineTransform' | 'VersorRigid3DTransform'

const HINT =
  'Give a text .tfm file with one rigid transform: AffineTransform, VersorRigid3DTransform or Euler3DTransform.'

/**
 * Reads the rigid transform of an ITK .tfm file, in LPS mm: p ↦ R·(p − centre) + centre + translation.
 * ITK writes the map from the fixed image's space to the moving image's.
 * @throws FileFormatError for another kind of file or transform; GeometryError for one that is not rigid.
 */
export function readItkTransform(text: string, name = 'The transform file'): Mat4 {
  return guard(name, () => {
    const lines = text.split(/\r?\n/).map(l => l.trim())
    if (!/^#Insight Transform File/i.test(lines[0] ?? ''))
      throw new FileFormatError(
        `${name} is not an ITK transform: it does not begin with "#Insight Transform File"`,
        HINT
      )
    const values = (key: string) =>
      lines.filter(l => l.toLowerCase().startsWith(`${key}:`)).map(l => l.slice(key.length + 1).trim())
    const types = values('transform')
    if (types.length !== 1)
      throw new FileFormatError(`${name} holds ${types.length} transforms, not one`, HINT)
    const numbers = (key: string) => {
      const list = (values(key)[0] ?? '').split(/\s+/).filter(Boolean).map(Number)
      if (!list.every(Number.isFinite))
        throw new FileFormatError(`${name}: ${key} holds what is no number`, HINT)
      return list
    }
    const p = numbers('parameters')
    const fixed = numbers('fixedparameters')
    const { rotation, translation } = decode(types[0], p, fixed, name)
    const centre: Vec3 = fixed.length >= 3 ? [fixed[0], fixed[1], fixed[2]] : [0, 0, 0]
    const turned = mulMat3Vec3(rotation, centre)
    const t: Vec3 = [
      translation[0] + centre[0] - turned[0],
      translation[1] + centre[1] - turned[1],
      translation[2] + centre[2] - turned[2]
    ]
    return assertRigid(rigid(rotation, t), name)
  })
}

function decode(
  type: string,
  p: readonly number[],
  fixed: readonly number[],
  name: string
): { rotation: Mat3; translation: Vec3 } {
  const need = (n: number) => {
    if (p.length !== n)
      throw new FileFormatError(`${name}: ${type} with ${p.length} parameters, not ${n}`, HINT)
  }
  switch (type.replace(/_(double|float)_3_3$/, '')) {
    case 'AffineTransform':
    case 'MatrixOffsetTransformBase':
      need(12)
      return { rotation: p.slice(0, 9), translation: [p[9], p[10], p[11]] }
    case 'Euler3DTransform': {
      need(6)
      const x = rotationX(p[0])
      const y = rotationY(p[1])
      const z = rotationZ(p[2])
      // A fourth fixed parameter says that the angles are applied in the order x, y, z instead of y, x, z.
      const rotation = fixed[3] ? mulMat3(z, mulMat3(y, x)) : mulMat3(z, mulMat3(x, y))
      return { rotation, translation: [p[3], p[4], p[5]] }
    }
    case 'VersorRigid3DTransform':
      need(6)
      return { rotation: rotationOfVersor([p[0], p[1], p[2]], name), translation: [p[3], p[4], p[5]] }
    case 'TranslationTransform':
      need(3)
      return { rotation: IDENTITY3, translation: [p[0], p[1], p[2]] }
    default:
      throw new FileFormatError(`${name} holds a ${type}`, HINT)
  }
}

/** Rotation of the unit quaternion with vector part v (axis · sin(angle/2)) and a scalar part that is not negative. */
function rotationOfVersor([x, y, z]: Vec3, name: string): Mat3 {
  const s = x * x + y * y + z * z
  if (s > 1 + 1e-9) throw new FileFormatError(`${name}: the versor is longer than 1`, HINT)
  const w = Math.sqrt(Math.max(0, 1 - s))
  return [
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y)
  ]
}

/**
 * Writes a rigid transform (LPS mm) as an ITK .tfm file.
 * @param centre centre of rotation of the file's parameters, LPS mm
 * @throws GeometryError if the matrix is not rigid.
 */
export function writeItkTransform(
  transform: Mat4,
  type: ItkTransformType = 'AffineTransform',
  centre: Vec3 = [0, 0, 0]
): string {
  const m = assertRigid(transform, 'The transform')
  const r = rotationOf(m)
  const moved = applyRigid(m, centre)
  const t = [moved[0] - centre[0], moved[1] - centre[1], moved[2] - centre[2]]
  const parameters = type === 'AffineTransform' ? [...r, ...t] : [...versorOf(r), ...t]
  return [
    '#Insight Transform File V1.0',
    '#Transform 0',
    `Transform: ${type}_double_3_3`,
    `Parameters: ${parameters.join(' ')}`,
    `FixedParameters: ${centre.join(' ')}`,
    ''
  ].join('\n')
}

function versorOf(r: Mat3): Vec3 {
  const v = logSO3(r)
  const angle = Math.hypot(...v)
  const s = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle
  return [v[0] * s, v[1] * s, v[2] * s]
}
