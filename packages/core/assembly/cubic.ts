// Catmull-Rom's cubic through a grid of cells (Keys 1981, a = −1/2). It reads 4 × 4 cells and nothing beyond them, so that
// rays that miss stay 0; the derivative of what it shows is continuous.

/** Four cells of i32 as f32. */
export function whole(q: usize): v128 {
  return f32x4.convert_i32x4_s(v128.load(q))
}

/** The four weights at fraction f. */
export function cubicWeights(f: f32): v128 {
  const x = f32x4.splat(f)
  let w = f32x4(-0.5, 1.5, -1.5, 0.5)
  w = f32x4.add(f32x4.mul(w, x), f32x4(1.0, -2.5, 2.0, -0.5))
  w = f32x4.add(f32x4.mul(w, x), f32x4(-0.5, 0.0, 0.5, 0.0))
  return f32x4.add(f32x4.mul(w, x), f32x4(0.0, 1.0, 0.0, 0.0))
}

/** Their derivatives by f. */
export function cubicSlopes(f: f32): v128 {
  const x = f32x4.splat(f)
  let w = f32x4(-1.5, 4.5, -4.5, 1.5)
  w = f32x4.add(f32x4.mul(w, x), f32x4(2.0, -5.0, 4.0, -1.0))
  return f32x4.add(f32x4.mul(w, x), f32x4(-0.5, 0.0, 0.5, 0.0))
}

/** Σ w_i · (four cells of row i). */
export function acrossRows(r0: v128, r1: v128, r2: v128, r3: v128, w: v128): v128 {
  return f32x4.add(
    f32x4.add(
      f32x4.mul(r0, v128.shuffle<f32>(w, w, 0, 0, 0, 0)),
      f32x4.mul(r1, v128.shuffle<f32>(w, w, 1, 1, 1, 1))
    ),
    f32x4.add(
      f32x4.mul(r2, v128.shuffle<f32>(w, w, 2, 2, 2, 2)),
      f32x4.mul(r3, v128.shuffle<f32>(w, w, 3, 3, 3, 3))
    )
  )
}

/** Σ of the four lanes of a·b. */
export function dot(a: v128, b: v128): f32 {
  let s = f32x4.mul(a, b)
  s = f32x4.add(s, v128.shuffle<f32>(s, s, 2, 3, 0, 1))
  return f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1)
}
