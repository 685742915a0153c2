/** A distance from source to patient outside these shares of that to the detector is a placeholder, or in another unit. */
const PLAUSIBLE = [0.3, 0.95] as const

/** A distance from source to patient (DICOM 0018,1111) that a C-arm may have, mm; undefined for any other, and where there is none. */
export function plausibleSourceToPatient(
  sourceToPatient: number | null | undefined,
  sourceToDetector: number
): number | undefined {
  const share = (sourceToPatient ?? 0) / sourceToDetector
  return share > PLAUSIBLE[0] && share < PLAUSIBLE[1] ? (sourceToPatient ?? undefined) : undefined
}
