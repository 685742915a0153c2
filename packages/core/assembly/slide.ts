// Slides a small field of edges over a larger one. A field is three planes of f32, one after another: edges along u and along v, both
// times the pixel's weight, and the weight; rows are padded with zeros to a multiple of four pixels, the larger field's by as many pixels more as there are shifts across.

/**
 * For each shift: the sum of the products of edges, and of weights.
 * @param fixed,moving addresses of the two fields
 * @param fixedPitch,movingPitch bytes of a row; fixedPlane,movingPlane bytes of a plane
 * @param vectors four-pixel steps of a row of the small field
 * @param rows of the small field
 * @param across,down shifts; `across` a multiple of four
 * @param out across·down pairs of f32
 */
export function slide(
  fixed: usize,
  fixedPitch: usize,
  fixedPlane: usize,
  moving: usize,
  movingPitch: usize,
  movingPlane: usize,
  vectors: i32,
  rows: i32,
  across: i32,
  down: i32,
  out: usize
): void {
  for (let sy = 0; sy < down; sy++)
    for (let sx = 0; sx < across; sx += 4) {
      let e0 = f32x4.splat(0)
      let e1 = e0
      let e2 = e0
      let e3 = e0
      let w0 = e0
      let w1 = e0
      let w2 = e0
      let w3 = e0
      for (let y = 0; y < rows; y++) {
        let f = fixed + <usize>y * fixedPitch
        let m = moving + <usize>(y + sy) * movingPitch + ((<usize>sx) << 2)
        for (let x = 0; x < vectors; x++) {
          const fu = v128.load(f)
          const fv = v128.load(f + fixedPlane)
          const fw = v128.load(f + 2 * fixedPlane)
          const n = m + movingPlane
          const o = n + movingPlane
          e0 = f32x4.add(e0, f32x4.add(f32x4.mul(fu, v128.load(m)), f32x4.mul(fv, v128.load(n))))
          e1 = f32x4.add(e1, f32x4.add(f32x4.mul(fu, v128.load(m, 4)), f32x4.mul(fv, v128.load(n, 4))))
          e2 = f32x4.add(e2, f32x4.add(f32x4.mul(fu, v128.load(m, 8)), f32x4.mul(fv, v128.load(n, 8))))
          e3 = f32x4.add(e3, f32x4.add(f32x4.mul(fu, v128.load(m, 12)), f32x4.mul(fv, v128.load(n, 12))))
          w0 = f32x4.add(w0, f32x4.mul(fw, v128.load(o)))
          w1 = f32x4.add(w1, f32x4.mul(fw, v128.load(o, 4)))
          w2 = f32x4.add(w2, f32x4.mul(fw, v128.load(o, 8)))
          w3 = f32x4.add(w3, f32x4.mul(fw, v128.load(o, 12)))
          f += 16
          m += 16
        }
      }
      const at = out + ((<usize>(sy * across + sx)) << 3)
      store<f32>(at, sum(e0))
      store<f32>(at, sum(w0), 4)
      store<f32>(at, sum(e1), 8)
      store<f32>(at, sum(w1), 12)
      store<f32>(at, sum(e2), 16)
      store<f32>(at, sum(w2), 20)
      store<f32>(at, sum(e3), 24)
      store<f32>(at, sum(w3), 28)
    }
}

function sum(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) +
    f32x4.extract_lane(v, 1) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  )
}
