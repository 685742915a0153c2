import type { PoseConfidence, PoseEvidence } from './types.js'

/**
 * Logistic model of "within the paper's success threshold", fitted to simulated X-rays of prepared patients (right and wrong
 * encodings, rotations, anatomies, noise); see docs/initial-pose.md for the data and how well it is calibrated.
 */
const MODEL = { offset: -7.5, recall: 6.9, similarity: 5.5 } as const

/** Least probability of each word. */
const WORDS = [
  ['high', 0.95],
  ['fair', 0.7],
  ['low', 0.2],
  ['no', 0]
] as const

/** From here on nothing else is tried. */
export const CONVINCING = 0.95

/** What the model looks at. Numbers of landmarks and residuals were tried beside them and added nothing. */
export const confidenceFeatures = (e: PoseEvidence) => ({
  recall: e.confirmed / Math.max(e.expected, 1),
  similarity: e.similarity
})

/** @param e evidence of a pose; null where no pose could be computed */
export function judge(e: PoseEvidence | null): PoseConfidence {
  const evidence = e ?? {
    expected: 0,
    confirmed: 0,
    contradicting: 0,
    reprojectionRmsMm: Number.POSITIVE_INFINITY,
    similarity: 0
  }
  const f = confidenceFeatures(evidence)
  const z = MODEL.offset + MODEL.recall * f.recall + MODEL.similarity * f.similarity
  const value = e && e.confirmed >= 4 ? 1 / (1 + Math.exp(-z)) : 0
  const word = WORDS.find(([, least]) => value >= least)![0]
  return { value, word, reason: reasonFor(word, evidence), evidence }
}

function reasonFor(word: PoseConfidence['word'], e: PoseEvidence): string {
  const found = `${e.confirmed} of the ${e.expected} landmarks that the pose shows were found where it has them`
  const alike = `the X-ray resembles the patient's DRR by ${e.similarity.toFixed(2)}`
  if (word === 'no' && e.confirmed < 4) return 'Fewer than 4 landmarks of this patient agree on any pose.'
  if (word === 'no')
    return `The X-ray does not seem to show this patient's prepared anatomy: ${found}, and ${alike}.`
  return `${found}; ${alike}.`
}
