/** What is wrong with the places of slices along their normal; slices and gaps by their number from 0. */
export interface SpacingJudgement {
  /** Spacing of the slices that follow each other, mm. */
  readonly usual: number
  /** Gaps of a whole number of slices. */
  readonly missing: readonly { readonly behind: number; readonly count: number }[]
  /** Gaps of any other size, by the slice before. */
  readonly uneven: readonly number[]
  /** Slices off the regular grid, where no single gap shows it. */
  readonly astray: readonly number[]
}

/** Part of the spacing by which a gap, or the place of a slice on the grid, may be off. */
const PART = 0.1
/** Scanners round positions to 0.1 mm: a place is off by half of that, a gap by all of it; a little for the binary digits. */
const ROUNDED_GAP = 0.11
const ROUNDED_PLACE = 0.06
/** Rounding as large as the spacing itself could hide a missing slice. */
const LARGEST_PART_OF_GAP = 0.4

/**
 * Judges whether places make a regular grid, as far as headers with rounded positions can tell.
 * @param places sorted, each once, at least two, mm
 */
export function judgeSpacing(places: readonly number[]): SpacingJudgement {
  const gaps = places.slice(1).map((s, i) => s - places[i])
  const median = [...gaps].sort((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)]
  const tolerance = Math.max(PART * median, Math.min(ROUNDED_GAP, LARGEST_PART_OF_GAP * median))
  // Rounded gaps have two sizes; what they are on average tells how many slices a large one lacks.
  const single = gaps.filter(gap => Math.abs(gap - median) <= tolerance)
  const usual = single.reduce((sum, gap) => sum + gap, 0) / single.length
  const missing: { behind: number; count: number }[] = []
  const uneven: number[] = []
  for (const [i, gap] of gaps.entries()) {
    if (Math.abs(gap - median) <= tolerance) continue
    const times = Math.round(gap / usual)
    if (times >= 2 && Math.abs(gap - times * usual) <= tolerance)
      missing.push({ behind: i, count: times - 1 })
    else uneven.push(i)
  }
  const astray = missing.length + uneven.length > 0 ? [] : offGrid(places)
  return { usual, missing, uneven, astray }
}

/** Slices that stand off the grid from the first to the last one, unless rounding explains all of it. */
function offGrid(places: readonly number[]): number[] {
  const n = places.length - 1
  const mean = (places[n] - places[0]) / n
  const off = places.flatMap((s, i) => (Math.abs(s - places[0] - i * mean) > PART * mean ? [i] : []))
  return off.length > 0 && leastDeviation(places, mean) > ROUNDED_PLACE ? off : []
}

/**
 * The least that a regular grid can miss the worst of the places by. The first and last are rounded as well, so that
 * the grid through them is not the one that the scanner had.
 */
function leastDeviation(places: readonly number[], mean: number): number {
  const deviation = (spacing: number) => {
    const rest = places.map((s, i) => s - i * spacing)
    return (Math.max(...rest) - Math.min(...rest)) / 2
  }
  // Convex in the spacing: the third that cannot hold the least is left out each time.
  let [low, high] = [0.8 * mean, 1.2 * mean]
  for (let step = 0; step < 60; step++) {
    const third = (high - low) / 3
    if (deviation(low + third) < deviation(high - third)) high -= third
    else low += third
  }
  return deviation((low + high) / 2)
}
