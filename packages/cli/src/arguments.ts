import { ArgumentError, DEGREE, type Vec2, type Vec3 } from '@raypose/core'
import { Option } from 'commander'

/** What `--ct` takes. */
export const CT_HELP = 'CT: a folder of DICOM slices, or a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file'

/** Turns the text of one command-line option into its value. @throws ArgumentError naming the flag and an example. */
export type Parser<T> = (text: string) => T

const refuse = (flag: string, wants: string, example: string, text: string): never => {
  throw new ArgumentError(`${flag} wants ${wants}, not "${text}"`, `For example: ${flag} ${example}`)
}

/** Numbers between commas; an empty part is none. */
const numbersOf = (text: string): number[] =>
  text.split(',').map(part => (part.trim() === '' ? Number.NaN : Number(part)))

function numbers(flag: string, count: number, wants: string, example: string): Parser<number[]> {
  return text => {
    const values = numbersOf(text)
    return values.length === count && values.every(Number.isFinite)
      ? values
      : refuse(flag, wants, example, text)
  }
}

/** Three lengths or coordinates in mm: `x,y,z`. */
export function vector(flag: string): Parser<Vec3> {
  const parse = numbers(flag, 3, 'three numbers in mm, x,y,z', '10,0,-25.5')
  return text => parse(text) as unknown as Vec3
}

export interface ViewAngles {
  readonly alpha: number
  readonly beta: number
  readonly gamma: number
}

/** `alpha,beta,gamma` in degrees, as radians. */
export function viewAngles(flag: string): Parser<ViewAngles> {
  const parse = numbers(flag, 3, 'three angles in degrees, alpha,beta,gamma', '10,0,-20')
  return text => {
    const [alpha, beta, gamma] = parse(text).map(a => a * DEGREE)
    return { alpha, beta, gamma }
  }
}

/** A pixel size in mm: one number, or column and row spacing. */
export const pixelSize =
  (flag: string): Parser<Vec2> =>
  text => {
    const v = numbersOf(text)
    return (v.length === 1 || v.length === 2) && v.every(n => Number.isFinite(n) && n > 0)
      ? [v[0], v[v.length - 1]]
      : refuse(flag, 'a pixel size in mm, one number or two', '0.4', text)
  }

/** Columns and rows: `240x188` or `240,188`. */
export const imageSize =
  (flag: string): Parser<Vec2> =>
  text => {
    const v = numbersOf(text.replace(/[x×]/i, ','))
    return v.length === 2 && v.every(n => Number.isInteger(n) && n > 0)
      ? [v[0], v[1]]
      : refuse(flag, 'columns and rows', '240x188', text)
  }

/** A pair of numbers, the first below the second. The second may be `inf`. */
export const range =
  (flag: string, wants: string, example: string): Parser<Vec2> =>
  text => {
    const v = numbersOf(text.replace(/\b(inf|infinity)\b/i, 'Infinity'))
    return v.length === 2 && Number.isFinite(v[0]) && v[0] < v[1]
      ? [v[0], v[1]]
      : refuse(flag, wants, example, text)
  }

export const positiveNumber =
  (flag: string, example: string): Parser<number> =>
  text => {
    const [n, more] = numbersOf(text)
    return more === undefined && Number.isFinite(n) && n > 0
      ? n
      : refuse(flag, 'a positive number', example, text)
  }

/** From 0 to 1. */
export const share =
  (flag: string, example: string): Parser<number> =>
  text => {
    const [n, more] = numbersOf(text)
    return more === undefined && n >= 0 && n <= 1 ? n : refuse(flag, 'a number from 0 to 1', example, text)
  }

/** A whole number of at least `least`. */
export const wholeNumber =
  (flag: string, least: number, example: string): Parser<number> =>
  text => {
    const [n, more] = numbersOf(text)
    return more === undefined && Number.isSafeInteger(n) && n >= least
      ? n
      : refuse(flag, least > 0 ? `a whole number from ${least} up` : 'a whole number', example, text)
  }

/** One of a few words. */
export const oneOf =
  <T extends string>(flag: string, words: readonly T[]): Parser<T> =>
  text =>
    (words as readonly string[]).includes(text)
      ? (text as T)
      : refuse(flag, `one of ${words.join(', ')}`, words[0], text)

/** An option whose default is shown in the help as one would type it. */
export const optionWithDefault = <T>(
  flags: string,
  description: string,
  parse: Parser<T>,
  text: string
): Option => new Option(flags, description).argParser(parse).default(parse(text), text)
