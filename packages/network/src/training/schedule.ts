/**
 * Learning rate that rises linearly during the first `warmup` of the work and then falls along half a cosine
 * (Loshchilov & Hutter 2017).
 * @param fraction of the work done, by steps or by time, 0 to 1
 * @param peak largest rate
 * @param floor rate at the end
 */
export function warmupCosine(fraction: number, peak: number, warmup = 0.02, floor = 1e-6): number {
  const f = Math.min(1, Math.max(0, fraction))
  if (f < warmup) return floor + (peak - floor) * (f / warmup)
  const down = warmup < 1 ? (f - warmup) / (1 - warmup) : 1
  return floor + (peak - floor) * 0.5 * (1 + Math.cos(Math.PI * down))
}
