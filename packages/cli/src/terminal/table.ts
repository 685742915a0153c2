/** A column of a table: its heading, and the side its cells keep to. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Characters as a terminal counts them, near enough: combining marks take no room. */
const widthOf = (text: string): number => [...text.normalize('NFC')].filter(c => !/\p{Mn}/u.test(c)).length

/** A table of plain text: columns two blanks apart, a rule below the headings, no blanks at the ends of lines. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((c, i) => Math.max(widthOf(c.title), ...rows.map(r => widthOf(r[i] ?? ''))))
  const line = (cells: readonly string[]) =>
    columns
      .map((c, i) => {
        const cell = cells[i] ?? ''
        const blanks = ' '.repeat(widths[i] - widthOf(cell))
        return c.align === 'right' ? blanks + cell : cell + blanks
      })
      .join('  ')
      .trimEnd()
  return [line(columns.map(c => c.title)), widths.map(w => '─'.repeat(w)).join('  '), ...rows.map(line)].join(
    '\n'
  )
}

/** Names and values in two columns. */
export function textList(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => widthOf(name)))
  return rows
    .map(([name, value]) => `${name}${' '.repeat(width - widthOf(name))}  ${value}`.trimEnd())
    .join('\n')
}
