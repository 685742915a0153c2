import { textTable } from './table.js'

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

/** Figures of a bench in words, each with its target and whether it was met, or why there is none. */
export function figuresTable<Figure extends string>(
  words: Readonly<Record<Figure, string>>,
  figures: Readonly<Record<Figure, number | null>>,
  targets: readonly { readonly figure: Figure; readonly least?: number; readonly most?: number }[],
  reasons: Readonly<Partial<Record<Figure, string>>>,
  format: (value: number | null, figure: Figure) => string
): string {
  const rows = (Object.keys(words) as Figure[]).map(figure => {
    const target = targets.find(t => t.figure === figure)
    const { wanted, verdict } = judge(figures[figure], target, reasons[figure])
    return [words[figure], format(figures[figure], figure), wanted, verdict]
  })
  return textTable(
    [
      { title: 'Figure' },
      { title: 'Value', align: 'right' },
      { title: 'Target', align: 'right' },
      { title: 'Met' }
    ],
    rows
  )
}
