import { createRandom, type Random } from '@raypose/core'

/** FNV-1a of a text, 32 bits. */
function hashOf(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/**
 * A generator of its own for each purpose, patient and view: a view gives the same figures whichever views were done before it, in
 * whatever order, by whichever thread.
 */
export const randomFor = (seed: number, purpose: string, patient: string, view: number): Random =>
  createRandom(hashOf(`${seed} ${purpose} ${patient} ${view}`))
