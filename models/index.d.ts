/** The pelvis network N, pre-trained on procedural patients: see pelvis.md for its card. */
export declare const PELVIS_MODEL: URL
