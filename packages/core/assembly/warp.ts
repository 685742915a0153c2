/**
 * From the virtual detector to the real one: a homography, sampled by Catmull-Rom (Keys 1981, a = -1/2), and the
 * length of each ray between two slices.
 */

/**
 * @param p 24 f64: in-plane source (b, c), distance from source to plane along the slab axis, grid origin (b, c),
 *   grid step (b, c), scale; then the direction (a, b, c) of the tile's first ray and its change per column and per row
 *   (voxels); then that ray's camera x, y, z (mm) and the pixel size (x, y).
 * @param out width·height f32
 */
export function warp(
  acc: usize,
  columns: i32,
  rows: i32,
  p: usize,
  width: i32,
  height: i32,
  out: usize
): void {
  const sb = load<f64>(p)
  const sc = load<f64>(p, 8)
  const distance = load<f64>(p, 16)
  const gb0 = load<f64>(p, 24)
  const gc0 = load<f64>(p, 32)
  const ib = 1.0 / load<f64>(p, 40)
  const ic = 1.0 / load<f64>(p, 48)
  const scale = load<f64>(p, 56)
  const ua = load<f64>(p, 88)
  const ub = load<f64>(p, 96)
  const uc = load<f64>(p, 104)
  const x0 = load<f64>(p, 136)
  const y0 = load<f64>(p, 144)
  const z0 = load<f64>(p, 152)
  const px = load<f64>(p, 160)
  const py = load<f64>(p, 168)
  const ob = (sb - gb0) * ib
  const oc = (sc - gc0) * ic
  const xEnd = <f64>(columns - 2)
  const yEnd = <f64>(rows - 2)
  const pitch = (<usize>columns) << 2
  for (let j: i32 = 0; j < height; j++) {
    const da = load<f64>(p, 64) + <f64>j * load<f64>(p, 112)
    const db = load<f64>(p, 72) + <f64>j * load<f64>(p, 120)
    const dc = load<f64>(p, 80) + <f64>j * load<f64>(p, 128)
    const y = y0 + <f64>j * py
    const yz = y * y + z0 * z0
    for (let i: i32 = 0; i < width; i++, out += 4) {
      const a = da + <f64>i * ua
      const r = 1.0 / a
      const t = distance * r
      const gx = ob + t * (db + <f64>i * ub) * ib
      const gy = oc + t * (dc + <f64>i * uc) * ic
      if (!(gx >= 1.0 && gy >= 1.0 && gx < xEnd && gy < yEnd)) {
        store<f32>(out, 0)
        continue
      }
      const ix = <i32>gx
      const iy = <i32>gy
      const fx = <f32>(gx - <f64>ix)
      const fy = <f32>(gy - <f64>iy)
      const wx = catmullRom(fx)
      let q = acc + <usize>(iy - 1) * pitch + ((<usize>(ix - 1)) << 2)
      const r0 = f32x4.convert_i32x4_s(v128.load(q))
      q += pitch
      const r1 = f32x4.convert_i32x4_s(v128.load(q))
      q += pitch
      const r2 = f32x4.convert_i32x4_s(v128.load(q))
      q += pitch
      const r3 = f32x4.convert_i32x4_s(v128.load(q))
      const wy = catmullRom(fy)
      let s = f32x4.mul(r0, v128.shuffle<f32>(wy, wy, 0, 0, 0, 0))
      s = f32x4.add(s, f32x4.mul(r1, v128.shuffle<f32>(wy, wy, 1, 1, 1, 1)))
      s = f32x4.add(s, f32x4.mul(r2, v128.shuffle<f32>(wy, wy, 2, 2, 2, 2)))
      s = f32x4.add(s, f32x4.mul(r3, v128.shuffle<f32>(wy, wy, 3, 3, 3, 3)))
      s = f32x4.mul(s, wx)
      s = f32x4.add(s, v128.shuffle<f32>(s, s, 2, 3, 0, 1))
      const value = f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1)
      const x = x0 + <f64>i * px
      const length = Math.sqrt(x * x + yz) * Math.abs(r) * scale
      // The cubic undershoots beside sharp edges; an integral of a non-negative function does not.
      store<f32>(out, value > 0 ? <f32>(<f64>value * length) : 0)
    }
  }
}

/** The four Catmull-Rom weights at fraction f. */
function catmullRom(f: f32): v128 {
  const f1 = f32x4.splat(f)
  let w = f32x4(-0.5, 1.5, -1.5, 0.5)
  w = f32x4.add(f32x4.mul(w, f1), f32x4(1.0, -2.5, 2.0, -0.5))
  w = f32x4.add(f32x4.mul(w, f1), f32x4(-0.5, 0.0, 0.5, 0.0))
  return f32x4.add(f32x4.mul(w, f1), f32x4(0.0, 1.0, 0.0, 0.0))
}
