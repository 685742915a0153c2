/**
 * Border following in binary images: S. Suzuki and K. Abe, "Topological structural analysis of digitized binary
 * images by border following", CVGIP 30 (1985), algorithm 1. Ones are connected over 8 neighbours, zeros over 4.
 */

/** One border: the closed chain of 1-pixels between a component of ones and a component of zeros. */
export interface Border {
  /** Outer: of a component of ones towards the zeros around it. Hole: towards zeros that it encloses. */
  readonly kind: 'outer' | 'hole'
  /** Position of the border that directly surrounds this one, or −1 for the frame of the image. */
  readonly parent: number
  /** x, y of each pixel in the order of the walk; a pixel comes twice where the walk passes it twice. */
  readonly points: Int32Array
}

export interface Borders {
  readonly borders: readonly Border[]
  /** Row-major: 0 background, 1 inside of a component, above 1 or negative on a border. */
  readonly labels: Int32Array
}

// Eight neighbours counter-clockwise as the image is seen (rows downwards), from the right-hand one.
const DX = [1, 1, 0, -1, -1, -1, 0, 1]
const DY = [0, -1, -1, -1, 0, 1, 1, 1]

/**
 * All outer and hole borders of the non-zero pixels.
 * @param mask row-major, width·height
 */
export function followBorders(mask: ArrayLike<number>, width: number, height: number): Borders {
  // A frame of zeros spares every neighbour its bounds check.
  const w = width + 2
  const f = new Int32Array(w * (height + 2))
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) if (mask[y * width + x]) f[(y + 1) * w + x + 1] = 1
  const offsets = DX.map((dx, i) => dx + DY[i] * w)
  const borders: Border[] = []
  for (let y = 1; y <= height; y++) {
    // Number of the border met last on this row; 1 is the frame.
    let met = 1
    for (let x = 1; x <= width; x++) {
      const at = y * w + x
      if (f[at] === 0) continue
      const outer = f[at] === 1 && f[at - 1] === 0
      if (outer || (f[at] >= 1 && f[at + 1] === 0)) {
        if (!outer && f[at] > 1) met = f[at]
        const number = borders.length + 2
        borders.push({
          kind: outer ? 'outer' : 'hole',
          parent: parentOf(outer, met, borders),
          points: walk(f, offsets, at, outer ? 4 : 0, number, w)
        })
      }
      if (f[at] !== 1) met = Math.abs(f[at])
    }
  }
  const labels = new Int32Array(width * height)
  for (let y = 0; y < height; y++) labels.set(f.subarray((y + 1) * w + 1, (y + 1) * w + 1 + width), y * width)
  return { borders, labels }
}

/** Table 1 of the article: a border whose last met border is of its own kind shares that one's parent. */
function parentOf(outer: boolean, met: number, borders: readonly Border[]): number {
  if (met === 1) return -1
  const last = borders[met - 2]
  return outer === (last.kind === 'outer') ? last.parent : met - 2
}

/** Step 3 of the article: marks the border from pixel `start` on with `number`; `zero` is the way to its zero neighbour. */
function walk(
  f: Int32Array,
  offsets: readonly number[],
  start: number,
  zero: number,
  number: number,
  w: number
): Int32Array {
  const points: number[] = []
  const push = (at: number) => points.push((at % w) - 1, Math.floor(at / w) - 1)
  let way = -1
  // Clockwise from the zero neighbour.
  for (let s = 0; s < 8 && way < 0; s++) {
    const i = (zero + 8 - s) % 8
    if (f[start + offsets[i]] !== 0) way = i
  }
  push(start)
  if (way < 0) {
    f[start] = -number
    return Int32Array.from(points)
  }
  const first = start + offsets[way]
  let at = start
  for (;;) {
    // Counter-clockwise from where the walk came from; the right-hand neighbour, if seen to be 0, ends a run of ones.
    let rightIsZero = false
    let next = (way + 1) % 8
    while (f[at + offsets[next]] === 0) {
      if (next === 0) rightIsZero = true
      next = (next + 1) % 8
    }
    if (rightIsZero) f[at] = -number
    else if (f[at] === 1) f[at] = number
    const to = at + offsets[next]
    if (to === start && at === first) return Int32Array.from(points)
    push(to)
    at = to
    way = (next + 4) % 8
  }
}
