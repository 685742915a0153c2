/** A measured figure against its target: what was wanted, and whether it was met, or why there is no figure. */
export function judge(
  value: number | null,
  target: { readonly least?: number; readonly most?: number } = {},
  reason = ''
): { readonly wanted: string; readonly verdict: string } {
  const { least, most } = target
  const wanted = least !== undefined ? `≥ ${least}` : most !== undefined ? `≤ ${most}` : ''
  if (value === null) return { wanted, verdict: reason }
  if (wanted === '') return { wanted, verdict: '' }
  return { wanted, verdict: value >= (least ?? value) && value <= (most ?? value) ? 'yes' : 'no' }
}
