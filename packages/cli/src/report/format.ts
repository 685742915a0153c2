import { clock } from '../terminal/duration.js'

/** A number with a fixed count of decimals and a true minus; a dash where there is none. */
export function fixed(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const text = Math.abs(value).toFixed(decimals)
  // −0.00 is nothing but rounding.
  return value < 0 && Number(text) !== 0 ? `−${text}` : text
}

/** Three significant digits or so: 0.0123, 1.23, 12.3, 123. */
export function significant(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value) || value === 0) return fixed(value, 0)
  const decimals = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return fixed(value, decimals)
}

export const millimetres = (value: number | null | undefined, decimals = 2): string => {
  const text = fixed(value, decimals)
  return text === '–' ? text : `${text} mm`
}

export const percentage = (share: number, decimals = 0): string => `${fixed(100 * share, decimals)} %`

/** A time as people say it: 85 ms, 3.2 s, 12:05 min. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–'
  if (seconds < 1) return `${Math.round(1000 * seconds)} ms`
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${clock(seconds)} ${seconds < 3600 ? 'min' : 'h'}`
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`
