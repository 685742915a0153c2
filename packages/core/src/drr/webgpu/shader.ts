/** Bytes of one `View` of the shader: what offsets of bindings must be multiples of. */
export const VIEW_BYTES = 256
/** Pixels of a workgroup along columns and rows. */
export const WORKGROUP = 8

/**
 * The ray integral in WGSL, exact but for float32: each ray is cut where it crosses the planes through the voxel centres
 * (Siddon 1985, on the dual grid); in between the trilinear volume is a cubic along the ray, which Gauss's two-point rule
 * integrates exactly. The eight corners of a cell are loaded and weighed here rather than by the texture unit, whose
 * weights have 8 bits only; so any 3D texture format will do.
 *
 * Coordinates are voxels from the middle of the volume. A ray is `base + t · along` with t = 0 near the middle of the
 * volume, where float32 is finest, and `view.source` the t of the X-ray source.
 *
 * With `derivatives`, the gradient of the trilinear volume is summed along the ray as well, plainly and weighed with t (its
 * components are quadratic in a cell, t times them cubic: Gauss's rule is exact again), and where the ray enters and
 * leaves the volume, the jump to 0. Turning the patient about c by w and shifting it by s moves a point q of the ray by
 * w × (q − c) + s, hence `dI = −∫ ∇μ · (w × (q − c) + s)`. Planes of the output: image, three turns, three shifts.
 */
export const rayShader = (derivatives: boolean): string => `
struct View {
  base: vec3f, source: f32,
  basePerColumn: vec3f, columnCentre: f32,
  basePerRow: vec3f, rowCentre: f32,
  along: vec3f, columnPitch: f32,
  alongPerColumn: vec3f, rowPitch: f32,
  alongPerRow: vec3f, detectorDistance: f32,
  centre: vec3f, unit: f32,
  // Gradient per voxel to gradient per mm along the camera's axes, and t = 0 as a part of the way to the detector.
  cameraX: vec3f, middle: f32,
  cameraY: vec3f, spareY: f32,
  cameraZ: vec3f, spareZ: f32,
  // Width, rows, first row; where its pixels begin in the output.
  size: vec4u,
  spare: array<vec4f, 5>,
}
@group(0) @binding(0) var<storage, read> views: array<View>;
@group(0) @binding(1) var<storage, read_write> pixels: array<f32>;
@group(0) @binding(2) var volume: texture_3d<f32>;

const NEVER = 1e30;
const GAUSS = 0.28867513459481287;

struct Cell { low: vec4f, high: vec4f, corner: vec3f }

fn voxel(i: i32, j: i32, k: i32) -> f32 { return textureLoad(volume, vec3i(i, j, k), 0).r; }

// The eight voxels about x (from voxel 0): (i, j) in the order 00, 10, 01, 11, for k and k + 1.
fn cellAt(x: vec3f, last: vec3i) -> Cell {
  let a = clamp(vec3i(floor(x)), vec3i(0), max(last - 1, vec3i(0)));
  let b = min(a + 1, last);
  return Cell(
    vec4f(voxel(a.x, a.y, a.z), voxel(b.x, a.y, a.z), voxel(a.x, b.y, a.z), voxel(b.x, b.y, a.z)),
    vec4f(voxel(a.x, a.y, b.z), voxel(b.x, a.y, b.z), voxel(a.x, b.y, b.z), voxel(b.x, b.y, b.z)),
    vec3f(a));
}

fn valueIn(c: Cell, x: vec3f) -> f32 {
  let f = x - c.corner;
  let square = mix(c.low, c.high, f.z);
  let row = mix(square.xy, square.zw, f.y);
  return mix(row.x, row.y, f.x);
}
${
  derivatives
    ? `
fn gradientIn(c: Cell, x: vec3f) -> vec3f {
  let f = x - c.corner;
  let square = mix(c.low, c.high, f.z);
  let row = mix(square.xy, square.zw, f.y);
  let column = mix(square.xz, square.yw, f.x);
  let rise = c.high - c.low;
  let riseRow = mix(rise.xy, rise.zw, f.y);
  return vec3f(row.y - row.x, column.y - column.x, mix(riseRow.x, riseRow.y, f.x));
}
`
    : ''
}
@compute @workgroup_size(${WORKGROUP}, ${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let size = views[id.z].size;
  if (id.x >= size.x || id.y >= size.y) { return; }
  let u = f32(id.x);
  let v = f32(id.y + size.z);
  let out = size.w + id.y * size.x + id.x;
  let base = views[id.z].base + u * views[id.z].basePerColumn + v * views[id.z].basePerRow;
  let along = views[id.z].along + u * views[id.z].alongPerColumn + v * views[id.z].alongPerRow;
  let toPixel = vec3f(
    (u - views[id.z].columnCentre) * views[id.z].columnPitch,
    (v - views[id.z].rowCentre) * views[id.z].rowPitch,
    views[id.z].detectorDistance);

  let last = vec3i(textureDimensions(volume)) - 1;
  let half = 0.5 * vec3f(last);
  let parallel = abs(along) < vec3f(1e-12);
  let inverse = select(1 / select(along, vec3f(1), parallel), vec3f(0), parallel);
  let t0 = select((-half - base) * inverse, vec3f(-NEVER), parallel);
  let t1 = select((half - base) * inverse, vec3f(NEVER), parallel);
  let enters = min(t0, t1);
  let leaves = max(t0, t1);
  let enter = max(max(enters.x, enters.y), enters.z);
  let start = max(enter, views[id.z].source);
  let end = min(min(leaves.x, leaves.y), leaves.z);
  let outside = any(parallel & (abs(base) > half));

  var sum = 0.0;
${derivatives ? '  var slope = vec3f(0);\n  var moment = vec3f(0);' : ''}
  if (!outside && end > start) {
    let origin = base + half;
    let entry = origin + start * along;
    let forward = along > vec3f(0);
    var plane = select(ceil(entry) - 1, floor(entry) + 1, forward);
    let ahead = select(vec3f(-1), vec3f(1), forward);
    var next = select((plane - origin) * inverse, vec3f(NEVER), parallel);
    var t = start;
    let crossings = last.x + last.y + last.z + 8;
    for (var n = 0; n < crossings && t < end; n++) {
      let nearest = min(min(next.x, next.y), next.z);
      let until = min(nearest, end);
      if (until > t) {
        let h = until - t;
        let middle = t + 0.5 * h;
        let c = cellAt(origin + middle * along, last);
        let near = middle - GAUSS * h;
        let far = middle + GAUSS * h;
        let nearPoint = origin + near * along;
        let farPoint = origin + far * along;
        sum += 0.5 * h * (valueIn(c, nearPoint) + valueIn(c, farPoint));
${
  derivatives
    ? `        let nearGradient = gradientIn(c, nearPoint);
        let farGradient = gradientIn(c, farPoint);
        slope += 0.5 * h * (nearGradient + farGradient);
        moment += 0.5 * h * (near * nearGradient + far * farGradient);`
    : ''
}
        t = until;
      }
      let crossed = next <= vec3f(nearest);
      plane = select(plane, plane + ahead, crossed);
      next = select((plane - origin) * inverse, vec3f(NEVER), parallel);
    }
${
  derivatives
    ? `    if (enter > views[id.z].source) {
      let jump = select(vec3f(0), inverse, enters == vec3f(enter)) * valueIn(cellAt(entry, last), entry);
      slope += jump;
      moment += enter * jump;
    }
    let exit = origin + end * along;
    let drop = select(vec3f(0), inverse, leaves == vec3f(end)) * valueIn(cellAt(exit, last), exit);
    slope -= drop;
    moment -= end * drop;`
    : ''
}
  }
  let scale = length(toPixel) * views[id.z].unit;
  pixels[out] = scale * sum;
${
  derivatives
    ? `
  let toCamera = mat3x3f(views[id.z].cameraX, views[id.z].cameraY, views[id.z].cameraZ);
  let force = scale * (slope * toCamera);
  let arm = views[id.z].middle * toPixel - views[id.z].centre;
  let torque = cross(arm, force) + cross(toPixel, scale * (moment * toCamera));
  // The planes of a view lie one after the other.
  let area = size.x * size.y;
  for (var a = 0u; a < 3u; a++) {
    pixels[out + (a + 1u) * area] = -torque[a];
    pixels[out + (a + 4u) * area] = -force[a];
  }`
    : ''
}
}
`
