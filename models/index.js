/** The pelvis network N, pre-trained on procedural patients: see pelvis.md for its card. */
export const PELVIS_MODEL = new URL('./pelvis.rpw', import.meta.url)
