import type { Bobyqa, BobyqaResult } from './bobyqa.js'

/** Drives a generator with a function that is computed here and now. */
export function minimise(run: Bobyqa, f: (x: Float64Array) => number): BobyqaResult {
  let asked = run.next()
  while (!asked.done) asked = run.next(asked.value.map(f))
  return asked.value
}

/** Drives a generator with a function of batches that is computed elsewhere: workers, a GPU. */
export async function minimiseBatched(
  run: Bobyqa,
  f: (batch: readonly Float64Array[]) => Promise<ArrayLike<number>>
): Promise<BobyqaResult> {
  let asked = run.next()
  while (!asked.done) asked = run.next(await f(asked.value))
  return asked.value
}
