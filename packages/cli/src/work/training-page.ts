import { join } from 'node:path'
import { readJson, readTrainingLog, type ValidationDetails, writeFileAtomic } from '@raypose/pipeline'
import { drawDetections } from '../report/detection-picture.js'
import { millimetres } from '../report/format.js'
import { trainingReport } from '../report/training-report.js'

/** Writes the page of a training run, index.html in its folder, from its log and its latest validation. */
export async function writeTrainingPage(
  out: string,
  step: number,
  { outcome, set, landmarkNames, size: [width, height] }: ValidationDetails
): Promise<void> {
  const html = trainingReport({
    log: await readTrainingLog(out),
    config: (await readJson(join(out, 'config.json'))) as Record<string, unknown>,
    landmarkNames,
    worst: outcome.worst.map(w => ({
      png: drawDetections({ width, height, data: set.images[w.index] }, set.points[w.index], w.found),
      caption: `${groupOf(set.groups, w.index)}view ${w.index + 1}: mean error ${millimetres(w.meanMm)} (step ${step})`
    }))
  })
  await writeFileAtomic(join(out, 'index.html'), html)
}

/** Whose view it is, where the validation has several kinds of patients. */
function groupOf(groups: ValidationDetails['set']['groups'], index: number): string {
  let end = 0
  for (const { name, count } of groups ?? []) {
    end += count
    if (index < end) return `${name}, `
  }
  return ''
}
