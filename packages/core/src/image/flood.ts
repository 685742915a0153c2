/**
 * The marked pixels that one gets to from seeds over marked pixels, side by side; 1 where one does.
 * @param marked rows × columns, not 0 where marked
 * @param seeds positions in it; those that are not marked lead nowhere
 */
export function floodFrom(marked: Uint8Array, columns: number, seeds: Iterable<number>): Uint8Array {
  const reached = new Uint8Array(marked.length)
  const stack: number[] = []
  const visit = (i: number) => {
    if (!marked[i] || reached[i]) return
    reached[i] = 1
    stack.push(i)
  }
  for (const i of seeds) visit(i)
  while (stack.length > 0) {
    const i = stack.pop() as number
    const x = i % columns
    if (x > 0) visit(i - 1)
    if (x < columns - 1) visit(i + 1)
    if (i >= columns) visit(i - columns)
    if (i < marked.length - columns) visit(i + columns)
  }
  return reached
}

/** Positions of an image's outermost pixels. */
export function* rimOf(columns: number, rows: number): Iterable<number> {
  for (let x = 0; x < columns; x++) {
    yield x
    yield (rows - 1) * columns + x
  }
  for (let y = 0; y < rows; y++) {
    yield y * columns
    yield y * columns + columns - 1
  }
}
