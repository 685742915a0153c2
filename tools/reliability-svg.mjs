// A reliability diagram: how often what is said to have a probability happens.
const [SIDE, GAP, TOP] = [260, 70, 40]
const EDGES = [0, 0.02, 0.1, 0.3, 0.7, 0.9, 0.98, 1.0001]

/** @param panels {title, p, y}: probabilities and what happened (0 or 1) */
export function reliabilitySvg(panels) {
  const width = panels.length * (SIDE + GAP) + 10
  const height = SIDE + TOP + 56
  const body = panels.map((panel, i) => draw(panel, GAP - 20 + i * (SIDE + GAP)))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" fill="#333">
<title>Reliability of the stated probabilities</title>
<rect width="100%" height="100%" fill="#fff"/>
${body.join('\n')}
</svg>
`
}

function draw({ title, p, y }, left) {
  const at = (a, b) => `${(left + a * SIDE).toFixed(1)},${(TOP + (1 - b) * SIDE).toFixed(1)}`
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(t => {
    const [x, yy] = at(t, t).split(',')
    return `<text x="${x}" y="${TOP + SIDE + 16}" text-anchor="middle">${t}</text><text x="${left - 6}" y="${Number(yy) + 4}" text-anchor="end">${t}</text>`
  })
  const points = EDGES.slice(1).flatMap((high, k) => {
    const inside = p.map((q, i) => [q, y[i]]).filter(([q]) => q >= EDGES[k] && q < high)
    if (inside.length === 0) return []
    const n = inside.length
    const said = inside.reduce((s, [q]) => s + q, 0) / n
    const happened = inside.reduce((s, [, h]) => s + h, 0) / n
    const [low, top] = wilson(happened, n)
    const [x, cy] = at(said, happened).split(',')
    return [
      `<path d="M${at(said, low)}L${at(said, top)}" stroke="#0a6ebd" stroke-width="1.5"/>`,
      `<circle cx="${x}" cy="${cy}" r="${(3 + Math.sqrt(n) / 5).toFixed(1)}" fill="#0a6ebd"/>`,
      `<text x="${Number(x) + (said > 0.5 ? -8 : 8)}" y="${Number(cy) + (happened > 0.5 ? 16 : -8)}" text-anchor="${said > 0.5 ? 'end' : 'start'}" font-size="10" fill="#666">${n}</text>`
    ]
  })
  return [
    `<text x="${left}" y="${TOP - 14}" font-size="13">${title.replace('>', '&gt;')}</text>`,
    `<rect x="${left}" y="${TOP}" width="${SIDE}" height="${SIDE}" fill="none" stroke="#999"/>`,
    `<path d="M${at(0, 0)}L${at(1, 1)}" stroke="#999" stroke-dasharray="4 4"/>`,
    ...ticks,
    `<text x="${left + SIDE / 2}" y="${TOP + SIDE + 36}" text-anchor="middle">probability said; numbers: cases, bars: 95 %</text>`,
    ...points
  ].join('')
}

/** Wilson's 95 % interval of a share. */
function wilson(share, n) {
  const z = 1.96
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n)
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}
