import { createRequire } from 'node:module'
import { bobyqa, createRandom, minimise } from '@raypose/core'

type Objective = (x: readonly number[]) => number

/** NLopt as `nlopt-js` has it, as far as it is used here. */
interface Nlopt {
  readonly ready: Promise<unknown>
  readonly Algorithm: { readonly LN_BOBYQA: unknown }
  readonly Optimize: new (
    algorithm: unknown,
    n: number
  ) => {
    setMinObjective(f: (x: number[]) => number, tolerance: number): void
    setLowerBounds(x: number[]): void
    setUpperBounds(x: number[]): void
    optimize(start: number[]): unknown
  }
  readonly GC: { flush(): void }
}

const sum = (n: number, f: (i: number) => number) =>
  Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b, 0)

/** Six variables, as a pose has: well and badly scaled, a valley, bounds active. */
const PROBLEMS: readonly { readonly f: Objective; readonly low: number; readonly high: number }[] = [
  { f: x => sum(6, i => (x[i] - 0.3 * i) ** 2), low: -5, high: 5 },
  { f: x => sum(6, i => 10 ** ((3 * i) / 5) * (x[i] - 1) ** 2), low: -5, high: 5 },
  { f: x => sum(5, i => 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2), low: -0.5, high: 0.5 },
  { f: x => sum(6, i => (x[i] - 1) ** 2) - sum(5, i => x[i] * x[i + 1]), low: -40, high: 40 }
]
const STARTS = 12
const TOLERANCE = 1e-6

/**
 * Evaluations of our BOBYQA over those of NLopt's, with the same first steps and tolerance, on standard functions and starts.
 * @returns null where `nlopt-js` is not installed
 */
export async function bobyqaVsNlopt(): Promise<number | null> {
  let nlopt: Nlopt
  try {
    nlopt = createRequire(import.meta.url)('nlopt-js')
    await nlopt.ready
  } catch {
    return null
  }
  const random = createRandom(7)
  let ours = 0
  let theirs = 0
  for (const { f, low, high } of PROBLEMS)
    for (let k = 0; k < STARTS; k++) {
      const start = Array.from({ length: 6 }, () => random.uniform(low, high))
      const run = new nlopt.Optimize(nlopt.Algorithm.LN_BOBYQA, 6)
      run.setMinObjective(x => {
        theirs++
        return f(x)
      }, TOLERANCE)
      run.setLowerBounds(start.map(() => low))
      run.setUpperBounds(start.map(() => high))
      try {
        run.optimize(start)
      } catch {
        // It gives up for rounding errors by throwing: what it evaluated counts.
      }
      nlopt.GC.flush()
      // NLopt scales the variables by its first steps: a quarter of the range, or less near a bound.
      const step = start.map(x => {
        let s = 0.25 * (high - low)
        if (high - x < s) s = 0.75 * (high - x)
        if (x - low < s) s = 0.75 * (x - low)
        return s
      })
      ours += minimise(
        bobyqa({
          start: start.map((x, i) => x / step[i]),
          lower: step.map(s => low / s),
          upper: step.map(s => high / s),
          rhoBegin: 1,
          rhoEnd: TOLERANCE
        }),
        x => f(Array.from(x, (v, i) => v * step[i]))
      ).evaluations
    }
  return ours / theirs
}
